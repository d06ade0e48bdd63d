/**
 * What the attention kernels share. A workgroup of 8 x 8 threads works on tiles of 32 rows by 32 columns of the score
 * matrix; thread (tx, ty) holds rows ty + 8i (the four components of a vec4) and columns tx + 8j. head_dim goes through
 * shared memory in chunks of 32, so that shared memory is 15 KB whatever head_dim is, and fits the 16 KB that WebGPU
 * promises. Strides of 9 vec4 keep the eight threads of a row on different banks.
 */
import type { Param } from '../../backend/index.ts';
import { dropThreshold } from '../dropout/mask.ts';
import { random, unroll } from '../wgsl/index.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';

export { unroll };
export const TILE = 32;

export const chunksOf = (head_dim: number): number => Math.ceil(head_dim / 32);

/** Rows are read and written as vec4 where head_dim allows it: then every row and head starts at a multiple of four. */
export const elementOf = (head_dim: number): string => (head_dim % 4 === 0 ? 'vec4f' : 'f32');

/**
 * Dropout of the weight of (sequence b, head h, query i, key j), as `dropout` draws it: row ((offset + b) n_head + h) T + i,
 * column j.
 */
const DROP = `
${random}
fn drop_site() -> u32 { return stir(stir(stir(0x7e11a21au, u32(rng[0])), u32(rng[1])), p.site); }
fn drop_row(site: u32, b: u32, h: u32, i: u32) -> u32 { return stir(site, ((u32(rng[2]) + b) * p.n_head + h) * p.T + i); }
fn kept(row: u32, j: u32) -> f32 { return select(p.kept, 0.0, stir(row, j) < p.threshold); }
fn kept4(rows: vec4u, j: u32) -> vec4f { return vec4f(kept(rows.x, j), kept(rows.y, j), kept(rows.z, j), kept(rows.w, j)); }`;

/** Shared memory, parameters and the mask. `dims` of the packed rows come from uniforms, head_dim is in the source. */
export const shared = (head_dim: number, params: number, drop: boolean): string => `
const HD = ${head_dim}u;
const HD4 = ${Math.ceil(head_dim / 4)}u;
const LOWEST = -3.0e38;
struct Params { T: u32, n_head: u32, n_kv_head: u32, window: u32, scale: f32${drop ? ', site: u32, threshold: u32, kept: f32' : ''} }
@group(0) @binding(${params}) var<uniform> p: Params;
var<workgroup> A: array<array<vec4f, 9>, 32>;
var<workgroup> B: array<array<vec4f, 9>, 32>;
var<workgroup> P: array<array<vec4f, 9>, 32>;
var<workgroup> red: array<array<vec4f, 8>, 8>;
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

/** `load_X(row start, vec4 column)`: four values of a row of buffer X, zeros beyond head_dim. */
export const loader = (buffer: string, head_dim: number): string => (head_dim % 4 === 0
  ? `fn load_${buffer}(start: u32, c: u32) -> vec4f { return ${buffer}[start / 4u + c]; }`
  : `fn load_${buffer}(start: u32, c: u32) -> vec4f {
  var v = vec4f();
  for (var e = 0u; e < 4u; e++) { if (4u * c + e < HD) { v[e] = ${buffer}[start + 4u * c + e]; } }
  return v;
}`);

/** `store_X(row start, vec4 column, value)`: the inverse. */
export const storer = (buffer: string, head_dim: number): string => (head_dim % 4 === 0
  ? `fn store_${buffer}(start: u32, c: u32, v: vec4f) { ${buffer}[start / 4u + c] = v; }`
  : `fn store_${buffer}(start: u32, c: u32, v: vec4f) {
  for (var e = 0u; e < 4u; e++) { if (4u * c + e < HD) { ${buffer}[start + 4u * c + e] = v[e]; } }
}`);

/**
 * Fills shared tile `to` with chunk `chunk` of rows first .. first+31 of sequence b; `start` is where the head's columns
 * begin in a row of width `stride`.
 */
export const stage = (to: 'A' | 'B', buffer: string, first: string, stride: string, start: string, chunk: string): string => `
for (var n = 0u; n < 4u; n++) {
  let r = (tid + 64u * n) / 8u; let c = tid % 8u; let row = ${first} + r;
  var v = vec4f();
  if (row < p.T && ${chunk} * 8u + c < HD4) { v = load_${buffer}((b * p.T + row) * ${stride} + ${start}, ${chunk} * 8u + c); }
  ${to}[r][c] = v;
}`;

/** Adds the products of the rows in A and the rows in B to x0 .. x3: one vec4 over rows ty + 8i for each column tx + 8j. */
export const multiply = (x: string, chunk: string): string => `
for (var d = 0u; d < min(8u, HD4 - ${chunk} * 8u); d++) {
  let a0 = A[ty][d]; let a1 = A[ty + 8u][d]; let a2 = A[ty + 16u][d]; let a3 = A[ty + 24u][d];
  let ax = vec4f(a0.x, a1.x, a2.x, a3.x); let ay = vec4f(a0.y, a1.y, a2.y, a3.y);
  let az = vec4f(a0.z, a1.z, a2.z, a3.z); let aw = vec4f(a0.w, a1.w, a2.w, a3.w);
  ${unroll(4, (j) => `{ let k = B[tx + ${8 * j}u][d]; ${x}${j} = fma(ax, vec4f(k.x), fma(ay, vec4f(k.y), fma(az, vec4f(k.z), fma(aw, vec4f(k.w), ${x}${j})))); }`)}
}`;

/** Scores of A's rows and B's rows over all of head_dim, left in x0 .. x3. */
export const product = (x: string, head_dim: number, stageA: (chunk: string) => string, stageB: (chunk: string) => string): string => `
${unroll(4, (j) => `var ${x}${j} = vec4f();`)}
for (var chunk = 0u; chunk < ${chunksOf(head_dim)}u; chunk++) {
  ${stageA('chunk')}
  ${stageB('chunk')}
  workgroupBarrier();
  ${multiply(x, 'chunk')}
  workgroupBarrier();
}`;

/** Adds P^T B to acc: rows ty + 8i of the result, vec4 column tx of each chunk of head_dim. P is written before the first barrier. */
export const accumulate = (acc: string, head_dim: number, stageB: (chunk: string) => string): string => unroll(chunksOf(head_dim), (c) => `
{
  ${stageB(`${c}u`)}
  workgroupBarrier();
  for (var n = 0u; n < 32u; n++) {
    let w = P[n][ty]; let v = B[n][tx];
    ${unroll(4, (i) => `${acc}${i}_${c} = fma(vec4f(w[${i}]), v, ${acc}${i}_${c});`)}
  }
  workgroupBarrier();
}`);

export const declare = (acc: string, head_dim: number): string => unroll(chunksOf(head_dim), (c) => unroll(4, (i) => `var ${acc}${i}_${c} = vec4f();`));

/** Writes an accumulator to rows first + ty + 8i of a buffer. */
export const storeRows = (acc: string, buffer: string, head_dim: number, first: string, stride: string, start: string, value = (v: string, _i: number): string => v): string =>
  unroll(4, (i) => `{ let row = ${first} + ty + ${8 * i}u; if (row < p.T) {
  ${unroll(chunksOf(head_dim), (c) => `if (${8 * c}u + tx < HD4) { store_${buffer}((b * p.T + row) * ${stride} + ${start}, ${8 * c}u + tx, ${value(`${acc}${i}_${c}`, i)}); }`)}
} }`);

/** The uniforms, with those of dropout where there is one. */
export function params(a: AttentionAttrs, drop?: Dropout): Param[] {
  return [
    ['u32', a.T], ['u32', a.n_head], ['u32', a.n_kv_head], ['u32', a.window], ['f32', 1 / Math.sqrt(a.head_dim)],
    ...(drop ? [['u32', drop.site], ['u32', dropThreshold(drop.rate)], ['f32', 1 / (1 - drop.rate)]] satisfies Param[] : []),
  ];
}
