/** The operands of a tiled matmul, as the generated kernel sees them. */
import type { Tile } from './tile.ts';
import type { Variant } from './variant.ts';

/** A with its rows m, or B with its columns n. */
export interface Operand {
  name: 'A' | 'B';
  /** Prefix of the operand's variables in WGSL. */
  prefix: 'a' | 'b';
  /** Size of the tile along m or n. */
  block: number;
  /** Values of a thread along m or n. */
  per_thread: number;
  /** Threads along m or n. */
  threads: number;
  /** WGSL names: the whole size along m or n, the tile's first m or n, the thread's place in it. */
  size: 'M' | 'N';
  first: 'm0' | 'n0';
  thread: 'ty' | 'tx';
  /**
   * `rows`: k is the slow index in memory, so four values along m or n are neighbours. Otherwise
   * memory is contiguous in k, and the operand is transposed on its way to shared memory.
   */
  mode: 'rows' | Tile['staging'];
  vec: boolean;
  /** Stored as float16: four values are one vec2u. */
  float16: boolean;
  edge: boolean;
  /** vec4 of padding at the end of a row of shared memory. */
  pad: number;
}

export type Operands = readonly [a: Operand, b: Operand];

export function operandsOf(tile: Tile, variant: Variant): Operands {
  const staged = (k_is_slow: boolean): Pick<Operand, 'mode' | 'pad'> => ({
    mode: k_is_slow ? 'rows' : tile.staging,
    pad: !k_is_slow && tile.staging === 'components' ? 1 : 0,
  });
  return [
    {
      name: 'A',
      prefix: 'a',
      block: tile.BM,
      per_thread: tile.TM,
      threads: tile.BM / tile.TM,
      size: 'M',
      first: 'm0',
      thread: 'ty',
      ...staged(variant.transpose_a),
      vec: variant.vec_a,
      float16: variant.float16.has('A'),
      edge: variant.m_edge,
    },
    {
      name: 'B',
      prefix: 'b',
      block: tile.BN,
      per_thread: tile.TN,
      threads: tile.BN / tile.TN,
      size: 'N',
      first: 'n0',
      thread: 'tx',
      ...staged(!variant.transpose_b),
      vec: variant.vec_b,
      float16: variant.float16.has('B'),
      edge: variant.n_edge,
    },
  ];
}

/** Name of an operand's tile in shared memory; a tile with two buffers alternates between two. */
export const sharedName = (name: 'A' | 'B', buffer: number): string =>
  `s${name}${buffer === 0 ? '' : buffer}`;

/** Element of an operand's shared memory: vec4 `column` along m or n, at step `k` of the tile. */
export function sharedPlace(
  { name, threads }: Operand,
  k: string,
  column: string,
  buffer = 0,
): string {
  return `${sharedName(name, buffer)}[${k}][(${column}) / ${threads}u][(${column}) % ${threads}u]`;
}

/** Declares the shared memory of an operand. */
export const sharedCode = (operand: Operand, { BK }: Tile, buffer: number): string => {
  const { name, threads, per_thread, pad } = operand;
  const row = `array<array<vec4f, ${threads + pad}>, ${per_thread / 4}>`;
  return `var<workgroup> ${sharedName(name, buffer)}: array<${row}, ${BK}>;`;
};
