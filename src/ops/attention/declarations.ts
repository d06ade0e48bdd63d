/**
 * What every attention kernel declares before `main`: bindings, uniforms, shared memory, masks and
 * access to rows of its buffers.
 */
import { DOCUMENTS, DROPOUT } from './masks.ts';
import { type AttentionVariant, columnsOf, rowsOf } from './tile.ts';

/** A storage buffer: access, name, element type. */
export type Binding = readonly [access: 'read' | 'read_write', name: string, element: string];

/**
 * Bindings (then rng and document_starts, if the variant has them, then the uniforms), shared
 * memory and masks. head_dim is a constant of the source; the other dimensions are uniforms.
 * Strides of 9 vec4 in A and B keep the threads of a row on different banks.
 */
export function declarations(variant: AttentionVariant, storage: readonly Binding[]): string {
  const { head_dim, tile, dropout, documents } = variant;
  const all = [...storage];
  if (dropout) all.push(['read', 'rng', 'i32']);
  if (documents) all.push(['read', 'document_starts', 'i32']);
  const bindings = all.map(
    ([access, name, element], i) =>
      `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${element}>;`,
  );
  return `${bindings.join('\n')}
const HD = ${head_dim}u;
const HD4 = ${Math.ceil(head_dim / 4)}u;
const LOWEST = -3.0e38;
struct Params {
  T: u32, n_head: u32, n_kv_head: u32, window: u32, scale: f32
  ${dropout ? ', site: u32, threshold: u32, kept: f32, heads: u32, first_head: u32' : ''}
}
@group(0) @binding(${all.length}) var<uniform> p: Params;
var<workgroup> A: array<array<vec4f, 9>, ${rowsOf(tile)}>;
var<workgroup> B: array<array<vec4f, 9>, ${columnsOf(tile)}>;
var<workgroup> P: array<array<vec4f, ${8 * tile.rows + 1}>, 32>;
var<workgroup> red: array<array<vec4f, ${8 * tile.rows}>, ${tile.X}>;
// Whether query i attends to key j.
fn visible(i: u32, j: u32) -> bool {
  return j <= i && i < p.T && (p.window == 0u || i - j < p.window);
}
fn visible4(i: vec4u, j: u32) -> vec4<bool> {
  return vec4<bool>(visible(i.x, j), visible(i.y, j), visible(i.z, j), visible(i.w, j));
}
// Width of a row of qkv, where its keys and values start, and the width of a row of y, in values.
fn width() -> u32 { return (p.n_head + 2u * p.n_kv_head) * HD; }
fn k_start() -> u32 { return p.n_head * HD; }
fn v_start() -> u32 { return (p.n_head + p.n_kv_head) * HD; }
fn group() -> u32 { return p.n_head / p.n_kv_head; }
fn y_width() -> u32 { return p.n_head * HD; }
${dropout ? DROPOUT : ''}${documents ? DOCUMENTS : ''}`;
}

/** The entry point's signature. */
export const mainOf = (threads: number): string => `@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {`;

/**
 * `load_X(row start, vec4 column)`: four values of a row of buffer X, zeros beyond head_dim. If
 * head_dim is a multiple of four, every row and head starts at a multiple of four and rows are read
 * and written as vec4; `unitCode` defines how X is stored.
 */
export const loader = (buffer: string, head_dim: number): string =>
  head_dim % 4 === 0
    ? `fn load_${buffer}(start: u32, c: u32) -> vec4f {
  return get_${buffer}(${buffer}[start / 4u + c]);
}`
    : `fn load_${buffer}(start: u32, c: u32) -> vec4f {
  var v = vec4f();
  for (var e = 0u; e < 4u; e++) {
    if (4u * c + e < HD) { v[e] = ${buffer}[start + 4u * c + e]; }
  }
  return v;
}`;

/** `store_X(row start, vec4 column, value)`: the inverse of `loader`. */
export const storer = (buffer: string, head_dim: number): string =>
  head_dim % 4 === 0
    ? `fn store_${buffer}(start: u32, c: u32, v: vec4f) {
  ${buffer}[start / 4u + c] = put_${buffer}(v);
}`
    : `fn store_${buffer}(start: u32, c: u32, v: vec4f) {
  for (var e = 0u; e < 4u; e++) {
    if (4u * c + e < HD) { ${buffer}[start + 4u * c + e] = v[e]; }
  }
}`;
