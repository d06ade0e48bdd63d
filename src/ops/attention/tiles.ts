/**
 * What the attention kernels share. A workgroup of 8 rows of X threads works on tiles of the score
 * matrix; thread (tx, ty) holds rows ty + 8i (the components of `rows` vec4) and columns tx + X j.
 * For products over head_dim both operands go through shared memory in chunks of 32; what is added
 * up afterwards goes through it 32 columns of scores at a time. So shared memory does not grow with
 * head_dim: the small tile takes 15 KB and fits the 16 KB that WebGPU promises, the large one 31
 * KB. Strides of 9 vec4 keep the threads of a row on different banks.
 */
import { deviceClass, type Param } from '../../backend/index.ts';
import { dropThreshold } from '../dropout/mask.ts';
import { random, unroll } from '../wgsl/index.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';

export { unroll };

/**
 * Shape of a workgroup's work: X threads along columns (8 or 16), vec4 of rows a thread, columns a
 * thread (at least 4); loops written out (`unroll` steps at a time).
 */
export interface Tile {
  X: number;
  rows: number;
  columns: number;
  unroll: number;
}
export const SMALL: Tile = { X: 8, rows: 1, columns: 4, unroll: 1 };
export const LARGE: Tile = { X: 16, rows: 1, columns: 4, unroll: 8 };
export const rowsOf = (t: Tile): number => 32 * t.rows;
export const columnsOf = (t: Tile): number => t.X * t.columns;

/** The best known tile for the device and shape. */
export function pickTile(a: AttentionAttrs): Tile {
  return deviceClass() === 'large' && a.head_dim > 32 && a.head_dim <= 64 && a.T >= 64
    ? LARGE
    : SMALL;
}

/** Chunks of head_dim: of 32 values in products, of 4 X where results are added up. */
const productChunks = (head_dim: number): number => Math.ceil(head_dim / 32);
export const chunksOf = (head_dim: number, t: Tile): number => Math.ceil(head_dim / (4 * t.X));
/** The queries of a workgroup stay in shared memory for its whole walk. */
export const stays = (head_dim: number): boolean => productChunks(head_dim) === 1;

/** WGSL for each vec4 of rows, for each column of a thread, and for both. */
export const perRows = (t: Tile, piece: (v: number) => string): string => unroll(t.rows, piece);
export const perColumn = (t: Tile, piece: (j: number) => string): string =>
  unroll(t.columns, piece);
export const perCell = (t: Tile, piece: (v: number, j: number) => string): string =>
  perColumn(t, (j) => perRows(t, (v) => piece(v, j)));
/** Rows of a thread's vec4 number v, from the tile's first row on. */
export const rowIndices = (v: number): string => `(ty + ${32 * v}u + vec4u(0u, 8u, 16u, 24u))`;

/**
 * Dropout of the weight of (sequence b, head h, query i, key j), as `dropout` draws it: row
 * ((offset + b) n_head + h) T + i, column j.
 */
const DROP = `
${random}
fn drop_site() -> u32 { return stir(stir(stir(0x7e11a21au, u32(rng[0])), u32(rng[1])), p.site); }
fn drop_row(site: u32, b: u32, h: u32, i: u32) -> u32 { return stir(site, ((u32(rng[2]) + b) * p.n_head + h) * p.T + i); }
fn kept(row: u32, j: u32) -> f32 { return select(p.kept, 0.0, stir(row, j) < p.threshold); }
fn kept4(rows: vec4u, j: u32) -> vec4f { return vec4f(kept(rows.x, j), kept(rows.y, j), kept(rows.z, j), kept(rows.w, j)); }`;

/**
 * Shared memory, parameters and the mask. `dims` of the packed rows come from uniforms, head_dim is
 * in the source.
 */
export const shared = (head_dim: number, params: number, drop: boolean, t: Tile): string => `
const HD = ${head_dim}u;
const HD4 = ${Math.ceil(head_dim / 4)}u;
const LOWEST = -3.0e38;
struct Params { T: u32, n_head: u32, n_kv_head: u32, window: u32, scale: f32${drop ? ', site: u32, threshold: u32, kept: f32' : ''} }
@group(0) @binding(${params}) var<uniform> p: Params;
var<workgroup> A: array<array<vec4f, 9>, ${rowsOf(t)}>;
var<workgroup> B: array<array<vec4f, 9>, ${columnsOf(t)}>;
var<workgroup> P: array<array<vec4f, ${8 * t.rows + 1}>, 32>;
var<workgroup> red: array<array<vec4f, ${8 * t.rows}>, ${t.X}>;
// Query i sees key j.
fn visible(i: u32, j: u32) -> bool { return j <= i && i < p.T && (p.window == 0u || i - j < p.window); }
fn visible4(i: vec4u, j: u32) -> vec4<bool> { return vec4<bool>(visible(i.x, j), visible(i.y, j), visible(i.z, j), visible(i.w, j)); }
// Width of a row of qkv, where its keys and values start, and the width of a row of y, in values.
fn width() -> u32 { return (p.n_head + 2u * p.n_kv_head) * HD; }
fn k_start() -> u32 { return p.n_head * HD; }
fn v_start() -> u32 { return (p.n_head + p.n_kv_head) * HD; }
fn group() -> u32 { return p.n_head / p.n_kv_head; }
fn y_width() -> u32 { return p.n_head * HD; }
${drop ? DROP : ''}`;

/**
 * `load_X(row start, vec4 column)`: four values of a row of buffer X, zeros beyond head_dim. Rows
 * are read and written as vec4 where head_dim allows it: then every row and head starts at a
 * multiple of four. `unitCode` says how X lies in memory.
 */
export const loader = (buffer: string, head_dim: number): string =>
  head_dim % 4 === 0
    ? `fn load_${buffer}(start: u32, c: u32) -> vec4f { return get_${buffer}(${buffer}[start / 4u + c]); }`
    : `fn load_${buffer}(start: u32, c: u32) -> vec4f {
  var v = vec4f();
  for (var e = 0u; e < 4u; e++) { if (4u * c + e < HD) { v[e] = ${buffer}[start + 4u * c + e]; } }
  return v;
}`;

/** `store_X(row start, vec4 column, value)`: the inverse. */
export const storer = (buffer: string, head_dim: number): string =>
  head_dim % 4 === 0
    ? `fn store_${buffer}(start: u32, c: u32, v: vec4f) { ${buffer}[start / 4u + c] = put_${buffer}(v); }`
    : `fn store_${buffer}(start: u32, c: u32, v: vec4f) {
  for (var e = 0u; e < 4u; e++) { if (4u * c + e < HD) { ${buffer}[start + 4u * c + e] = v[e]; } }
}`;

/**
 * Reads vec4 column `at` of n rows, `step` apart, into loaded0 .. All reads come before what uses
 * them, so that they wait together; a row beyond the last and a column beyond head_dim are others
 * that exist: their weights are zero, and their columns are not stored.
 */
const loads = (
  n: number,
  step: number,
  buffer: string,
  first: string,
  stride: string,
  start: string,
): string =>
  unroll(
    n,
    (i) =>
      `let loaded${i} = load_${buffer}((b * p.T + min(${first} + r + ${step * i}u, p.T - 1u)) * ${stride} + ${start}, at);`,
  );

/**
 * Fills shared tile A (rows of the tile) or B (its columns) with chunk `chunk` of rows from `first`
 * of sequence b on; `start` is where the head's columns begin in a row of width `stride`.
 */
export const stage = (
  t: Tile,
  to: 'A' | 'B',
  buffer: string,
  first: string,
  stride: string,
  start: string,
  chunk: string,
): string => `
{
  let r = tid / 8u; let c = tid % 8u; let at = min(${chunk} * 8u + c, HD4 - 1u);
  ${loads((to === 'A' ? rowsOf(t) : columnsOf(t)) / t.X, t.X, buffer, first, stride, start)}
  ${unroll((to === 'A' ? rowsOf(t) : columnsOf(t)) / t.X, (n) => `${to}[r + ${t.X * n}u][c] = loaded${n};`)}
}`;

/**
 * Fills B with 32 rows from `first` on and 4 X columns of head_dim: row n, vec4 column c at B[n X/8
 * + c/8][c % 8].
 */
export const stageSum = (
  t: Tile,
  buffer: string,
  first: string,
  stride: string,
  start: string,
  chunk: number,
): string => `
{
  let r = tid / ${t.X}u; let c = tid % ${t.X}u; let at = min(${chunk * t.X}u + c, HD4 - 1u);
  ${loads(4, 8, buffer, first, stride, start)}
  ${unroll(4, (n) => `B[(r + ${8 * n}u) * ${t.X / 8}u + c / 8u][c % 8u] = loaded${n};`)}
}`;

/**
 * Adds the products of the rows in A and the rows in B to x_v_j: one vec4 over rows for each column
 * tx + X j.
 */
const multiply = (t: Tile, x: string, head_dim: number, chunk: string): string => {
  // Beyond head_dim a chunk holds repeated values, so the loop must end with it: its length is
  // known where all chunks are as long.
  const vectors = Math.ceil(head_dim / 4);
  const known = vectors <= 8 ? vectors : vectors % 8 === 0 ? 8 : null;
  const step = (d: string): string => `{
  ${perRows(
    t,
    (v) => `${unroll(4, (i) => `let a${v}${i} = A[ty + ${32 * v + 8 * i}u][${d}];`)}
  ${[...'xyzw'].map((e) => `let a${v}${e} = vec4f(a${v}0.${e}, a${v}1.${e}, a${v}2.${e}, a${v}3.${e});`).join(' ')}`,
  )}
  ${perColumn(t, (j) => `let k${j} = B[tx + ${t.X * j}u][${d}];`)}
  ${[...'wzyx'].map((e) => perCell(t, (v, j) => `${x}${v}_${j} = fma(a${v}${e}, vec4f(k${j}.${e}), ${x}${v}_${j});`)).join('\n')}
}`;
  return known !== null && t.unroll === 8
    ? unroll(known, (d) => step(`${d}u`))
    : `for (var d = 0u; d < min(8u, HD4 - ${chunk} * 8u); d++) ${step('d')}`;
};

/** Scores of A's rows and B's rows over all of head_dim, left in x_v_j. */
export const product = (
  t: Tile,
  x: string,
  head_dim: number,
  stageA: (chunk: string) => string,
  stageB: (chunk: string) => string,
): string => `
${perCell(t, (v, j) => `var ${x}${v}_${j} = vec4f();`)}
for (var chunk = 0u; chunk < ${productChunks(head_dim)}u; chunk++) {
  ${stageA('chunk')}
  ${stageB('chunk')}
  workgroupBarrier();
  ${multiply(t, x, head_dim, 'chunk')}
  workgroupBarrier();
}`;

/**
 * Adds W^T R to acc, W the tile's values `value(v, j)` and R the rows of a buffer that belong to
 * its columns, from `first` on: acc holds the thread's rows, and vec4 column tx of each chunk of
 * head_dim. 32 columns of the tile at a time.
 */
export const accumulate = (
  t: Tile,
  acc: string,
  head_dim: number,
  value: (v: number, j: number) => string,
  stageR: (first: number, chunk: number) => string,
): string =>
  unroll(columnsOf(t) / 32, (part) => {
    const each = 32 / t.X;
    return `
${unroll(each, (n) => perRows(t, (v) => `P[tx + ${t.X * n}u][${8 * v}u + ty] = ${value(v, part * each + n)};`))}
${unroll(
  chunksOf(head_dim, t),
  (c) => `{
  ${stageR(32 * part, c)}
  workgroupBarrier();
  for (var first = 0u; first < 32u; first += ${t.unroll}u) {
    ${unroll(
      t.unroll,
      (
        s,
      ) => `{ let n = first + ${s}u; ${perRows(t, (v) => `let w${v} = P[n][${8 * v}u + ty];`)} let r = B[n * ${t.X / 8}u + tx / 8u][tx % 8u];
    ${perRows(t, (v) => unroll(4, (i) => `${acc}${4 * v + i}_${c} = fma(vec4f(w${v}[${i}]), r, ${acc}${4 * v + i}_${c});`))} }`,
    )}
  }
  workgroupBarrier();
}`,
)}`;
  });

export const declare = (t: Tile, acc: string, head_dim: number): string =>
  unroll(chunksOf(head_dim, t), (c) => unroll(4 * t.rows, (i) => `var ${acc}${i}_${c} = vec4f();`));

/** Writes an accumulator to rows first + ty + 8i of a buffer. */
export const storeRows = (
  t: Tile,
  acc: string,
  buffer: string,
  head_dim: number,
  first: string,
  stride: string,
  start: string,
  value = (v: string, _i: number): string => v,
): string =>
  unroll(
    4 * t.rows,
    (i) => `{ let row = ${first} + ty + ${8 * i}u; if (row < p.T) {
  ${unroll(chunksOf(head_dim, t), (c) => `if (${t.X * c}u + tx < HD4) { store_${buffer}((b * p.T + row) * ${stride} + ${start}, ${t.X * c}u + tx, ${value(`${acc}${i}_${c}`, i)}); }`)}
} }`,
  );

/** The uniforms, with those of dropout where there is one. */
export function params(a: AttentionAttrs, drop?: Dropout): Param[] {
  return [
    ['u32', a.T],
    ['u32', a.n_head],
    ['u32', a.n_kv_head],
    ['u32', a.window],
    ['f32', 1 / Math.sqrt(a.head_dim)],
    ...(drop
      ? ([
          ['u32', drop.site],
          ['u32', dropThreshold(drop.rate)],
          ['f32', 1 / (1 - drop.rate)],
        ] satisfies Param[])
      : []),
  ];
}
