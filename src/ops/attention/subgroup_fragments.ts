/**
 * Building blocks of attention by subgroup matrices (Chromium's experimental WGSL extension), for
 * qkv, y and their gradients stored as float16. Matrix products of scores, weights and their
 * gradients are float16 with float32 accumulation; maxima, exponentials and sums are float32.
 *
 * The kernels walk as forward.ts and backward.ts do. WGSL cannot address single values of a
 * fragment, so scores go through shared memory, where two lanes share a row; each subgroup of 32
 * threads has 16 rows of its own. Strides are padded by 8 values, without which rows would collide
 * on the banks. Weights below 2^-24 of the row's largest underflow to 0 in float16.
 */
import { HALVES } from '../../backend/index.ts';
import { unroll } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';
import type { Binding } from './declarations.ts';
import { DOCUMENTS } from './masks.ts';
import type { HeadRows } from './tile_products.ts';

const PAD = 8;

/** Whether a kernel exists for the shape. Dropout has none. */
export const subgroupAttentionFits = ({ head_dim }: AttentionAttrs): boolean =>
  head_dim % 16 === 0 && head_dim <= 128;

/** A workgroup's tile of scores. */
export interface SubgroupShape {
  /** Subgroups in the workgroup, each with 16 rows of scores. */
  groups: number;
  /** Columns of scores at a time. */
  columns: number;
}
/** Shapes that keep shared memory below 48 KB. */
export const forwardShape = (head_dim: number): SubgroupShape =>
  head_dim <= 64 ? { groups: 4, columns: 64 } : { groups: 2, columns: 32 };
export const backwardShape = (head_dim: number): SubgroupShape => ({
  groups: head_dim <= 64 ? 4 : 2,
  columns: 32,
});
export const rowsOfShape = (shape: SubgroupShape): number => 16 * shape.groups;

/** What distinguishes one generated kernel from another. */
export interface SubgroupVariant {
  head_dim: number;
  shape: SubgroupShape;
  /** Attention stays inside documents: the kernel binds `document_starts`. */
  documents: boolean;
}

/** Allocates shared memory; offsets and sizes are in bytes. */
export class Layout {
  bytes = 0;
  /** Makes the allocations from `from` on at least this long. */
  atLeast(from: number, bytes: number): void {
    this.bytes = Math.max(this.bytes, from + bytes);
  }
  take(bytes: number): number {
    const offset = this.bytes;
    this.bytes += Math.ceil(bytes / 16) * 16;
    return offset;
  }
}

/** A matrix in shared memory: offset and stride, counted in its own values. */
export interface Region {
  offset: number;
  stride: number;
}
/** Size of a float16 matrix. */
export const float16Bytes = (rows: number, columns: number): number => 2 * rows * (columns + PAD);
/** Allocates a float16 matrix, in at least `least` bytes. */
export const takeFloat16 = (layout: Layout, rows: number, columns: number, least = 0): Region => ({
  offset: layout.take(Math.max(float16Bytes(rows, columns), least)) / 2,
  stride: columns + PAD,
});
export const takeFloat32 = (layout: Layout, rows: number, columns: number): Region => ({
  offset: layout.take(4 * rows * (columns + PAD)) / 4,
  stride: columns + PAD,
});
/** A float16 matrix with this many columns at the offset of another one. */
export const float16At = ({ offset }: Region, columns: number): Region => ({
  offset,
  stride: columns + PAD,
});

/** Everything up to the first statement of `main`: two lanes share a row and take vec4 in turn. */
export function head(
  { head_dim, shape, documents }: SubgroupVariant,
  storage: readonly Binding[],
  bytes: number,
): string {
  const all = [...storage];
  if (documents) all.push(['read', 'document_starts', 'i32']);
  const bindings = all.map(
    ([access, name, element], i) =>
      `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${element}>;`,
  );
  const view = (name: string, element: string, size: number): string =>
    `let ${name} = bufferView<array<${element}, ${bytes / size}>>(&memory, 0u);`;
  return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
requires buffer_view;
diagnostic(off, chromium.subgroup_matrix_uniformity);
${HALVES}
const HD = ${head_dim}u;
const LOWEST = -3.0e38;
const FOUR = vec4u(0u, 1u, 2u, 3u);
struct Params { T: u32, n_head: u32, n_kv_head: u32, window: u32, scale: f32 }
${bindings.join('\n')}
@group(0) @binding(${all.length}) var<uniform> p: Params;
var<workgroup> memory: buffer<${bytes}>;
fn seen(i: vec4u, j: vec4u) -> vec4<bool> {
  return (j <= i) & (i < vec4u(p.T))
    & ((vec4u(p.window) == vec4u()) | (i - j < vec4u(p.window)));
}
fn product_of(a: vec2u, b: vec2u) -> f32 { return dot(from_halves(a), from_halves(b)); }
${documents ? DOCUMENTS : ''}
@compute @workgroup_size(${32 * shape.groups})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  ${view('eights', 'vec4u', 16)}
  ${view('pairs', 'vec2u', 8)}
  ${view('halves', 'f16', 2)}
  ${view('floats', 'f32', 4)}
  ${view('fours', 'vec4f', 16)}
  // Two lanes per row, which take vec4 in turn.
  let own = 16u * (tid >> 5u); let lane = tid & 31u;
  let row = own + (lane >> 1u); let side = lane & 1u;
  let b = wg.z; let width = (p.n_head + 2u * p.n_kv_head) * HD; let y_width = p.n_head * HD;
  let heads = p.n_head / p.n_kv_head;`;
}

/** Rows of a head of queries, keys or values in qkv. */
export const qkvRows = (first: string, start: string): HeadRows => ({
  buffer: 'qkv',
  first,
  stride: 'width',
  start,
});
/** Rows of a head in dy. */
export const dyRows = (first: string): HeadRows => ({
  buffer: 'dy',
  first,
  stride: 'y_width',
  start: 'q0',
});

/** WGSL that reads rows of a buffer into registers, and WGSL that writes those to a region. */
interface Staging {
  load: string;
  store: string;
}

/**
 * `count` rows of a float16 buffer to a region. Rows beyond the last of the sequence read another
 * one that exists.
 */
export function stage(
  { head_dim, shape }: SubgroupVariant,
  to: Region,
  count: number,
  { buffer, first, stride, start }: HeadRows,
): Staging {
  const across = head_dim / 8;
  const units = count * across;
  const threads = 32 * shape.groups;
  const steps = Math.ceil(units / threads);
  const name = `${buffer}${to.offset}_`;
  const unit = (n: number): string => `(tid + ${n * threads}u)`;
  const guard = (n: number): string =>
    units % threads !== 0 && n === steps - 1 ? `if (${unit(n)} < ${units}u)` : '';
  const load = (n: number): string => `let ${name}${n} = ${buffer}[
      ((b * p.T + min(${first} + ${unit(n)} / ${across}u, p.T - 1u)) * ${stride} + ${start}) / 8u
        + ${unit(n)} % ${across}u];`;
  const store = (n: number): string => `${guard(n)} {
      eights[${to.offset / 8}u + ${unit(n)} / ${across}u * ${to.stride / 8}u
        + ${unit(n)} % ${across}u] = ${name}${n};
    }`;
  return { load: unroll(steps, load), store: unroll(steps, store) };
}

/** All reads come before all writes, so that their latencies overlap. */
export const stageAll = (...all: readonly Staging[]): string =>
  `{ ${all.map(({ load }) => load).join('\n')}\n${all.map(({ store }) => store).join('\n')} }`;

/** The subgroup's own 16 rows of a region as a left operand, columns 16 k to 16 k + 15. */
export const left = ({ offset, stride }: Region, k: number): string =>
  `subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(halves, ${offset + 16 * k}u
      + own * ${stride}u, ${stride}u)`;

/** The right operands of one step of a matrix product. */
interface RightOperands {
  region: Region;
  /** Number of the step along the summed dimension. */
  k: number;
  /** Fragments along the columns. */
  columns: number;
  /** The region holds the columns as its rows. */
  transposed: boolean;
}
function right({ region, k, transposed }: RightOperands, n: number): string {
  const { offset, stride } = region;
  const first = offset + 16 * (transposed ? n * stride + k : k * stride + n);
  const order = transposed ? 'col_major' : 'row_major';
  return `subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, ${order}>(halves, ${first}u,
      ${stride}u)`;
}

/** Declares result fragments NAME0, NAME1, ... */
export const declareFragments = (name: string, n: number): string =>
  unroll(n, (i) => `var ${name}${i} = subgroup_matrix_result<f32, 16, 16>();`);

/** Adds left operand `a` times each right operand to the fragments `to`. */
export const multiplyStep = (to: string, a: string, operands: RightOperands): string =>
  unroll(
    operands.columns,
    (n) => `${to}${n} = subgroupMatrixMultiplyAccumulate(${a}, ${right(operands, n)}, ${to}${n});`,
  );

/** Writes n fragments, from number `from` on, to the subgroup's own rows of a float32 region. */
export const putFragments = (
  name: string,
  n: number,
  { offset, stride }: Region,
  from = 0,
): string =>
  unroll(
    n,
    (i) => `subgroupMatrixStore<row_major>(floats, ${offset + 16 * i}u + own * ${stride}u,
      ${name}${from + i}, ${stride}u);`,
  );

/** vec4 number i of this lane's row in a float32 region. */
export const laneValue = ({ offset, stride }: Region, i: number): string =>
  `fours[${offset / 4 + 2 * i}u + row * ${stride / 4}u + side]`;
/** The first of the four columns that `laneValue` holds. */
export const laneColumns = (i: number): string => `(${8 * i}u + 4u * side)`;
/** Writes four float16 values, packed as vec2u, to where `laneValue` is in a float16 region. */
export const putPair = ({ offset, stride }: Region, i: number, pair: string): string =>
  `pairs[${offset / 4 + 2 * i}u + row * ${stride / 4}u + side] = ${pair};`;

/** Loads the subgroup's own rows as left operands NAME0, NAME1, ..., which stay in registers. */
export const keepFragments = (name: string, region: Region, head_dim: number): string =>
  unroll(head_dim / 16, (k) => `let ${name}${k} = ${left(region, k)};`);
