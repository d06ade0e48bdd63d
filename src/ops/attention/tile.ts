/**
 * The tile of the score matrix that a workgroup computes. A workgroup has 8 rows of X threads;
 * thread (tx, ty) holds rows ty + 8i (the components of `rows` vec4) and columns tx + X j.
 *
 * Shared memory does not grow with head_dim: matrix products over head_dim stage both operands in
 * chunks of 32 values, and weighted sums of rows take 32 columns of scores at a time. The small
 * tile needs 15 KB, which fits the 16 KB that WebGPU guarantees; the large one needs 31 KB.
 */
import { deviceClass } from '../../backend/index.ts';
import { unroll } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';

export interface Tile {
  /** Threads along the columns: 8 or 16. */
  X: number;
  /** vec4 of rows per thread. */
  rows: number;
  /** Columns per thread, at least 4. */
  columns: number;
  /** Iterations of the inner loops that the source writes out: 1, 4 or 8. */
  unroll: number;
}
export const SMALL: Tile = { X: 8, rows: 1, columns: 4, unroll: 1 };
export const LARGE: Tile = { X: 16, rows: 1, columns: 4, unroll: 8 };

/** Rows and columns of scores that a workgroup computes at a time. */
export const rowsOf = (tile: Tile): number => 32 * tile.rows;
export const columnsOf = (tile: Tile): number => tile.X * tile.columns;

/** The fastest measured tile for the device and shape. */
export function pickTile({ head_dim, T }: AttentionAttrs): Tile {
  const large = deviceClass() === 'large' && head_dim > 32 && head_dim <= 64 && T >= 64;
  return large ? LARGE : SMALL;
}

/** What distinguishes one generated attention kernel from another. */
export interface AttentionVariant {
  head_dim: number;
  tile: Tile;
  /** Softmax weights are dropped: the kernel binds `rng`. */
  dropout: boolean;
  /** Attention stays inside documents: the kernel binds `document_starts`. */
  documents: boolean;
}

/** Chunks of 32 values of head_dim that matrix products go through. */
export const productChunks = ({ head_dim }: AttentionVariant): number => Math.ceil(head_dim / 32);
/** Chunks of 4 X values of head_dim that weighted sums go through. */
export const sumChunks = ({ head_dim, tile }: AttentionVariant): number =>
  Math.ceil(head_dim / (4 * tile.X));

/** Repeats WGSL for each vec4 of rows, for each column of a thread, or for both. */
export const perRows = (tile: Tile, piece: (v: number) => string): string =>
  unroll(tile.rows, piece);
export const perColumn = (tile: Tile, piece: (j: number) => string): string =>
  unroll(tile.columns, piece);
export const perCell = (tile: Tile, piece: (v: number, j: number) => string): string =>
  perColumn(tile, (j) => perRows(tile, (v) => piece(v, j)));

/** WGSL for the four rows in a thread's vec4 number v, relative to the tile's first row. */
export const rowIndices = (v: number): string => `(ty + ${32 * v}u + vec4u(0u, 8u, 16u, 24u))`;
/** WGSL for a thread's column number j, of a tile whose first column is `first`. */
export const columnIndex = (tile: Tile, first: string, j: number): string =>
  `${first} + tx + ${tile.X * j}u`;
