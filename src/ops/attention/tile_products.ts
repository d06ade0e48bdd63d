/**
 * WGSL of the two matrix products that attention is made of, each staged through shared memory:
 * `product` (scores: rows times rows, summed over head_dim) and `accumulate` (weighted sums of
 * rows, summed over columns of scores).
 */
import { unroll } from '../wgsl/index.ts';
import {
  type AttentionVariant,
  columnsOf,
  perCell,
  perColumn,
  perRows,
  productChunks,
  rowsOf,
  sumChunks,
  type Tile,
} from './tile.ts';

/** Rows of one head in a buffer, as WGSL expressions. */
export interface HeadRows {
  buffer: string;
  /** The first row, within the sequence. */
  first: string;
  /** Width of a row of the buffer. */
  stride: string;
  /** Column where the head starts. */
  start: string;
}
/** Rows of a head of queries, keys or values in qkv. */
export const qkvRows = (first: string, start: string): HeadRows => ({
  buffer: 'qkv',
  first,
  stride: 'width()',
  start,
});
/** Rows of a head in a buffer that is laid out as y. */
export const outputRows = (buffer: string, first: string): HeadRows => ({
  buffer,
  first,
  stride: 'y_width()',
  start: 'q0',
});

/**
 * Reads vec4 column `at` of n rows, `step` apart, into loaded0, loaded1, ... All reads come before
 * their uses, so that their latencies overlap. Rows beyond the last and columns beyond head_dim
 * read another one that exists: their weights are zero, and their columns are not stored.
 */
const loads = (n: number, step: number, { buffer, first, stride, start }: HeadRows): string =>
  unroll(
    n,
    (i) => `let loaded${i} = load_${buffer}(
    (b * p.T + min(${first} + r + ${step * i}u, p.T - 1u)) * ${stride} + ${start}, at);`,
  );

/** Fills shared A (the tile's rows) or B (its columns) with chunk `chunk` of the rows. */
export function stage(tile: Tile, to: 'A' | 'B', rows: HeadRows, chunk: string): string {
  const n = (to === 'A' ? rowsOf(tile) : columnsOf(tile)) / tile.X;
  return `
{
  let r = tid / 8u; let c = tid % 8u; let at = min(${chunk} * 8u + c, HD4 - 1u);
  ${loads(n, tile.X, rows)}
  ${unroll(n, (i) => `${to}[r + ${tile.X * i}u][c] = loaded${i};`)}
}`;
}

/**
 * Fills B with 32 rows and 4 X columns of head_dim: row n, vec4 column c at
 * B[n X/8 + c/8][c % 8].
 */
const stageSum = ({ X }: Tile, rows: HeadRows, chunk: number): string => `
{
  let r = tid / ${X}u; let c = tid % ${X}u; let at = min(${chunk * X}u + c, HD4 - 1u);
  ${loads(4, 8, rows)}
  ${unroll(4, (n) => `B[(r + ${8 * n}u) * ${X / 8}u + c / 8u][c % 8u] = loaded${n};`)}
}`;

/**
 * vec4 of head_dim in a chunk of a product, if it is the same in all chunks, else null: the last
 * chunk repeats values beyond head_dim, so its loop must end there.
 */
function chunkVectors(head_dim: number): number | null {
  const vectors = Math.ceil(head_dim / 4);
  if (vectors <= 8) return vectors;
  return vectors % 8 === 0 ? 8 : null;
}

/** Adds A's rows times B's rows to NAMEv_j: a vec4 over rows for each column tx + X j. */
function multiply({ head_dim, tile }: AttentionVariant, name: string, chunk: string): string {
  const vectors = chunkVectors(head_dim);
  const component = (v: number, e: string): string =>
    `let a${v}${e} = vec4f(a${v}0.${e}, a${v}1.${e}, a${v}2.${e}, a${v}3.${e});`;
  const loadRows = (d: string) => (v: number) => `
  ${unroll(4, (i) => `let a${v}${i} = A[ty + ${32 * v + 8 * i}u][${d}];`)}
  ${[...'xyzw'].map((e) => component(v, e)).join('\n')}`;
  const addComponent = (e: string): string =>
    perCell(
      tile,
      (v, j) => `${name}${v}_${j} = fma(a${v}${e}, vec4f(k${j}.${e}), ${name}${v}_${j});`,
    );
  const step = (d: string): string => `{
  ${perRows(tile, loadRows(d))}
  ${perColumn(tile, (j) => `let k${j} = B[tx + ${tile.X * j}u][${d}];`)}
  ${[...'wzyx'].map(addComponent).join('\n')}
}`;
  if (vectors !== null && tile.unroll === 8) return unroll(vectors, (d) => step(`${d}u`));
  return `for (var d = 0u; d < min(8u, HD4 - ${chunk} * 8u); d++) ${step('d')}`;
}

/**
 * Scores of the rows `a` and the rows `b` over all of head_dim, left in NAMEv_j. `a` is null if its
 * only chunk is in shared memory already.
 */
export const product = (
  variant: AttentionVariant,
  name: string,
  a: HeadRows | null,
  b: HeadRows,
): string => `
${perCell(variant.tile, (v, j) => `var ${name}${v}_${j} = vec4f();`)}
for (var chunk = 0u; chunk < ${productChunks(variant)}u; chunk++) {
  ${a ? stage(variant.tile, 'A', a, 'chunk') : ''}
  ${stage(variant.tile, 'B', b, 'chunk')}
  workgroupBarrier();
  ${multiply(variant, name, 'chunk')}
  workgroupBarrier();
}`;

/** Adds 32 staged columns of weights times 32 staged rows to the accumulators of one chunk. */
function addStaged({ rows, X, unroll: steps }: Tile, to: string, chunk: number): string {
  const perVector = (piece: (v: number) => string): string => unroll(rows, piece);
  const addRow = (v: number, i: number): string => {
    const target = `${to}${4 * v + i}_${chunk}`;
    return `${target} = fma(vec4f(w${v}[${i}]), r, ${target});`;
  };
  const step = (s: number): string => `{
      let n = first + ${s}u;
      ${perVector((v) => `let w${v} = P[n][${8 * v}u + ty];`)}
      let r = B[n * ${X / 8}u + tx / 8u][tx % 8u];
      ${perVector((v) => unroll(4, (i) => addRow(v, i)))}
    }`;
  return `for (var first = 0u; first < 32u; first += ${steps}u) { ${unroll(steps, step)} }`;
}

/**
 * Adds W^T R to the accumulators `to`, 32 columns of the tile at a time: W are the tile's values
 * `value(v, j)`, R the rows of a buffer that belong to the tile's columns. A thread accumulates its
 * own rows, vec4 column tx of each chunk of head_dim.
 */
export function accumulate(
  variant: AttentionVariant,
  to: string,
  value: (v: number, j: number) => string,
  rows: HeadRows,
): string {
  const { tile } = variant;
  const each = 32 / tile.X;
  const storeWeight = (part: number, n: number) => (v: number) =>
    `P[tx + ${tile.X * n}u][${8 * v}u + ty] = ${value(v, part * each + n)};`;
  const addChunk = (part: number) => (chunk: number) => `{
  ${stageSum(tile, { ...rows, first: `${rows.first} + ${32 * part}u` }, chunk)}
  workgroupBarrier();
  ${addStaged(tile, to, chunk)}
  workgroupBarrier();
}`;
  return unroll(
    columnsOf(tile) / 32,
    (part) => `
${unroll(each, (n) => perRows(tile, storeWeight(part, n)))}
${unroll(sumChunks(variant), addChunk(part))}`,
  );
}

/** Declares the accumulators that `accumulate` adds to. */
export const declareSums = (variant: AttentionVariant, name: string): string =>
  unroll(sumChunks(variant), (c) =>
    unroll(4 * variant.tile.rows, (i) => `var ${name}${i}_${c} = vec4f();`),
  );

/** Writes accumulators to rows ty + 8i; `finish` is applied to each value of row i. */
export function storeRows(
  variant: AttentionVariant,
  name: string,
  { buffer, first, stride, start }: HeadRows,
  finish = (value: string, _i: number): string => value,
): string {
  const { X, rows } = variant.tile;
  const storeChunk = (i: number) => (c: number) => `if (${X * c}u + tx < HD4) {
    store_${buffer}((b * p.T + row) * ${stride} + ${start}, ${X * c}u + tx,
      ${finish(`${name}${i}_${c}`, i)});
  }`;
  const storeRow = (i: number): string => `{
  let row = ${first} + ty + ${8 * i}u;
  if (row < p.T) { ${unroll(sumChunks(variant), storeChunk(i))} }
}`;
  return unroll(4 * rows, storeRow);
}
