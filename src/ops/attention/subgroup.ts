/**
 * Attention by subgroup matrices (Chromium's experimental WGSL extension), where qkv, y and their
 * gradients are stored as halves: the products of scores, weights and their gradients are f16 x f16
 * added up in f32, everything between them (maximum, exponentials, sums) is f32. The walk is that
 * of forward.ts and backward.ts. A fragment's values cannot be reached one by one, so scores go
 * through shared memory, where two lanes share a row; each subgroup of 32 threads has 16 rows of
 * its own. Strides are padded by 8 values, without which rows would collide on the banks. For
 * head_dim a multiple of 16 up to 128, without dropout. Weights below 2^-24 of the row's largest
 * vanish in halves.
 */
import { HALVES } from '../../backend/index.ts';
import { unroll } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';

const PAD = 8;
export const subgroupAttentionFits = ({ head_dim }: AttentionAttrs): boolean =>
  head_dim % 16 === 0 && head_dim <= 128;

/**
 * Subgroups of a workgroup, each with 16 rows of scores, and the columns of scores that they take
 * at a time; so that shared memory stays below 48 KB.
 */
export interface SubgroupShape {
  groups: number;
  columns: number;
}
export const forwardShape = (head_dim: number): SubgroupShape =>
  head_dim <= 64 ? { groups: 4, columns: 64 } : { groups: 2, columns: 32 };
export const backwardShape = (head_dim: number): SubgroupShape => ({
  groups: head_dim <= 64 ? 4 : 2,
  columns: 32,
});
export const rowsOfShape = (s: SubgroupShape): number => 16 * s.groups;

/** Places in shared memory, in bytes. */
class Layout {
  bytes = 0;
  /** Makes everything from `from` on at least this long. */
  atLeast(from: number, bytes: number): void {
    this.bytes = Math.max(this.bytes, from + bytes);
  }
  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(bytes / 16) * 16;
    return at;
  }
}

/** A matrix in shared memory: where it starts and its stride, in its own values. */
interface Region {
  at: number;
  stride: number;
}
const halvesAt = (l: Layout, rows: number, columns: number, least = 0): Region => ({
  at: l.take(Math.max(2 * rows * (columns + PAD), least)) / 2,
  stride: columns + PAD,
});
const floatsAt = (l: Layout, rows: number, columns: number): Region => ({
  at: l.take(4 * rows * (columns + PAD)) / 4,
  stride: columns + PAD,
});

const head = (
  head_dim: number,
  s: SubgroupShape,
  bindings: readonly string[],
  bytes: number,
): string => `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
requires buffer_view;
diagnostic(off, chromium.subgroup_matrix_uniformity);
${HALVES}
const HD = ${head_dim}u;
const LOWEST = -3.0e38;
const FOUR = vec4u(0u, 1u, 2u, 3u);
struct Params { T: u32, n_head: u32, n_kv_head: u32, window: u32, scale: f32 }
${bindings.map((b, i) => `@group(0) @binding(${i}) var<storage, ${b};`).join('\n')}
@group(0) @binding(${bindings.length}) var<uniform> p: Params;
var<workgroup> memory: buffer<${bytes}>;
fn seen(i: vec4u, j: vec4u) -> vec4<bool> { return (j <= i) & (i < vec4u(p.T)) & ((vec4u(p.window) == vec4u()) | (i - j < vec4u(p.window))); }
fn product_of(a: vec2u, b: vec2u) -> f32 { return dot(from_halves(a), from_halves(b)); }
@compute @workgroup_size(${32 * s.groups})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let eights = bufferView<array<vec4u, ${bytes / 16}>>(&memory, 0u); let pairs = bufferView<array<vec2u, ${bytes / 8}>>(&memory, 0u);
  let halves = bufferView<array<f16, ${bytes / 2}>>(&memory, 0u); let floats = bufferView<array<f32, ${bytes / 4}>>(&memory, 0u); let fours = bufferView<array<vec4f, ${bytes / 16}>>(&memory, 0u);
  // Two lanes a row, which take vec4 in turn.
  let own = 16u * (tid >> 5u); let lane = tid & 31u; let row = own + (lane >> 1u); let side = lane & 1u;
  let b = wg.z; let width = (p.n_head + 2u * p.n_kv_head) * HD; let y_width = p.n_head * HD; let heads = p.n_head / p.n_kv_head;`;

/**
 * Rows `first`, ... of a buffer of halves, from column `start` on, head_dim of each: into a region.
 * A row beyond the last is another that exists.
 */
function stage(
  head_dim: number,
  s: SubgroupShape,
  to: Region,
  rows: number,
  buffer: string,
  first: string,
  width: string,
  start: string,
): { load: string; store: string } {
  const across = head_dim / 8;
  const units = rows * across;
  const threads = 32 * s.groups;
  const steps = Math.ceil(units / threads);
  const name = `${buffer}${to.at}_`;
  const unit = (n: number): string => `(tid + ${n * threads}u)`;
  const guard = (n: number): string =>
    units % threads !== 0 && n === steps - 1 ? `if (${unit(n)} < ${units}u)` : '';
  return {
    load: unroll(
      steps,
      (n) =>
        `let ${name}${n} = ${buffer}[((b * p.T + min(${first} + ${unit(n)} / ${across}u, p.T - 1u)) * ${width} + ${start}) / 8u + ${unit(n)} % ${across}u];`,
    ),
    store: unroll(
      steps,
      (n) =>
        `${guard(n)} { eights[${to.at / 8}u + ${unit(n)} / ${across}u * ${to.stride / 8}u + ${unit(n)} % ${across}u] = ${name}${n}; }`,
    ),
  };
}

/** Reads first, so that they wait together. */
const stageAll = (...all: { load: string; store: string }[]): string =>
  `{ ${all.map((a) => a.load).join('\n')}\n${all.map((a) => a.store).join('\n')} }`;

const left = (r: Region, k: number): string =>
  `subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(halves, ${r.at + 16 * k}u + own * ${r.stride}u, ${r.stride}u)`;
/**
 * The right operand with its columns n (the rows of a region that lies transposed), 16 steps of k
 * from 16 k on.
 */
const right = (r: Region, k: number, n: number, transposed: boolean): string =>
  `subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, ${transposed ? 'col_major' : 'row_major'}>(halves, ${r.at + 16 * (transposed ? n * r.stride + k : k * r.stride + n)}u, ${r.stride}u)`;
const declare = (name: string, n: number): string =>
  unroll(n, (i) => `var ${name}${i} = subgroup_matrix_result<f32, 16, 16>();`);
const step = (
  to: string,
  a: string,
  r: Region,
  k: number,
  columns: number,
  transposed: boolean,
): string =>
  unroll(
    columns,
    (n) =>
      `${to}${n} = subgroupMatrixMultiplyAccumulate(${a}, ${right(r, k, n, transposed)}, ${to}${n});`,
  );
const put = (name: string, n: number, r: Region, from = 0): string =>
  unroll(
    n,
    (i) =>
      `subgroupMatrixStore<row_major>(floats, ${r.at + 16 * i}u + own * ${r.stride}u, ${name}${from + i}, ${r.stride}u);`,
  );

/** vec4 number i of this lane's row in a region of floats, and the four columns that it holds. */
const value = (r: Region, i: number): string =>
  `fours[${r.at / 4 + 2 * i}u + row * ${r.stride / 4}u + side]`;
const columnsOf = (i: number): string => `(${8 * i}u + 4u * side)`;
const putPair = (r: Region, i: number, pair: string): string =>
  `pairs[${r.at / 4 + 2 * i}u + row * ${r.stride / 4}u + side] = ${pair};`;

/** Fragments of a region's own 16 rows, which stay in registers. */
const keep = (name: string, r: Region, head_dim: number): string =>
  unroll(head_dim / 16, (k) => `let ${name}${k} = ${left(r, k)};`);

/** y, lse from qkv, as `forwardCode`. */
export function forwardSubgroupCode(
  head_dim: number,
  s: SubgroupShape = forwardShape(head_dim),
): string {
  const l = new Layout();
  const rows = rowsOfShape(s);
  const D = head_dim / 16;
  const N = s.columns / 16;
  // Weights take the place of the keys, which are read no more.
  const keys = halvesAt(l, s.columns, head_dim, 2 * rows * (s.columns + PAD));
  const values = halvesAt(l, s.columns, head_dim);
  const x = floatsAt(l, rows, Math.max(s.columns, head_dim));
  const weights: Region = { at: keys.at, stride: s.columns + PAD };
  const queries: Region = { at: x.at * 2, stride: head_dim + PAD };
  return `${head(head_dim, s, ['read_write> y: array<vec2u>', 'read_write> lse: array<f32>', 'read> qkv: array<vec4u>'], l.bytes)}
  let h = wg.y; let q0 = h * HD; let k0 = y_width + h / heads * HD; let v0 = k0 + p.n_kv_head * HD;
  // The last queries see the most keys: they start first.
  let i0 = (count.x - 1u - wg.x) * ${rows}u; let i = i0 + row;
  ${stageAll(stage(head_dim, s, queries, rows, 'qkv', 'i0', 'width', 'q0'))}
  workgroupBarrier();
  ${keep('fq', queries, head_dim)}
  workgroupBarrier();
  var top = LOWEST; var total = 0.0;
  ${unroll(2 * D, (c) => `var y${c} = vec4f();`)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / ${s.columns}u * ${s.columns}u;
  for (var j0 = first; j0 < min(i0 + ${rows}u, p.T); j0 += ${s.columns}u) {
    ${stageAll(stage(head_dim, s, keys, s.columns, 'qkv', 'j0', 'width', 'k0'), stage(head_dim, s, values, s.columns, 'qkv', 'j0', 'width', 'v0'))}
    workgroupBarrier();
    { ${declare('s', N)}
    ${unroll(D, (k) => step('s', `fq${k}`, keys, k, N, true))}
    ${put('s', N, x)} }
    workgroupBarrier();
    ${unroll(2 * N, (n) => `var w${n} = select(vec4f(LOWEST), ${value(x, n)} * p.scale, seen(vec4u(i), j0 + ${columnsOf(n)} + FOUR));`)}
    var four = w0;
    ${unroll(2 * N - 1, (n) => `four = max(four, w${n + 1});`)}
    var most = max(max(four.x, four.y), max(four.z, four.w));
    most = max(top, max(most, subgroupShuffleXor(most, 1u)));
    let shrink = exp(top - most);
    top = most;
    // Nothing but masked keys so far: the maximum is LOWEST, and exp(0) must not count.
    ${unroll(2 * N, (n) => `w${n} = select(exp(w${n} - most), vec4f(), w${n} <= vec4f(LOWEST)); ${putPair(weights, n, `vec2u(pack2x16float(w${n}.xy), pack2x16float(w${n}.zw))`)}`)}
    four = w0;
    ${unroll(2 * N - 1, (n) => `four += w${n + 1};`)}
    total = total * shrink + (four.x + four.y) + (four.z + four.w);
    workgroupBarrier();
    { ${declare('o', D)}
    ${unroll(N, (k) => `{ let a = ${left(weights, k)}; ${step('o', 'a', values, k, D, false)} }`)}
    ${put('o', D, x)} }
    workgroupBarrier();
    ${unroll(2 * D, (c) => `y${c} = y${c} * shrink + ${value(x, c)};`)}
  }
  total += subgroupShuffleXor(total, 1u);
  if (i < p.T) {
    ${unroll(2 * D, (c) => `y[((b * p.T + i) * y_width + q0 + ${columnsOf(c)}) / 4u] = to_halves(y${c} / total);`)}
    if (side == 0u) { lse[(b * p.n_head + h) * p.T + i] = top + log(total); }
  }
}`;
}

/**
 * Fragments name0, ... of all rows to rows `first` ... of a buffer, 64 columns at a time through a
 * region.
 */
function store(head_dim: number, name: string, r: Region, first: string, start: string): string {
  const D = head_dim / 16;
  const parts = Math.ceil(D / 4);
  return unroll(parts, (part) => {
    const n = Math.min(4, D - 4 * part);
    return `workgroupBarrier();
  ${put(name, n, r, 4 * part)}
  workgroupBarrier();
  if (${first} + row < p.T) { ${unroll(2 * n, (c) => `dqkv[((b * p.T + ${first} + row) * width + ${start} + ${64 * part}u + ${columnsOf(c)}) / 4u] = to_halves(${value(r, c)});`)} }`;
  });
}

/**
 * Scores and their gradients of the backward kernels; in the same place, before and after, what a
 * workgroup's own rows hold and what it gives out.
 */
function scoresAt(
  l: Layout,
  rows: number,
  columns: number,
  head_dim: number,
): { x: Region; g: Region; own: Region; out: Region } {
  const before = l.bytes;
  const x = floatsAt(l, rows, columns);
  const g = floatsAt(l, rows, columns);
  l.atLeast(before, Math.max(4 * rows * (64 + PAD), 2 * rows * (head_dim + PAD)));
  return {
    x,
    g,
    own: { at: x.at * 2, stride: head_dim + PAD },
    out: { at: x.at, stride: 64 + PAD },
  };
}

/** dq and delta (the row sums of dy y), as `queryCode`. */
export function querySubgroupCode(
  head_dim: number,
  s: SubgroupShape = backwardShape(head_dim),
): string {
  const l = new Layout();
  const rows = rowsOfShape(s);
  const D = head_dim / 16;
  const N = s.columns / 16;
  const keys = halvesAt(l, s.columns, head_dim);
  const values = halvesAt(l, s.columns, head_dim);
  const scores = halvesAt(l, rows, s.columns);
  const { x, g, own: queries, out } = scoresAt(l, rows, s.columns, head_dim);
  return `${head(head_dim, s, ['read_write> dqkv: array<vec2u>', 'read_write> delta: array<f32>', 'read> qkv: array<vec4u>', 'read> y: array<vec4u>', 'read> lse: array<f32>', 'read> dy: array<vec4u>'], l.bytes)}
  let h = wg.y; let q0 = h * HD; let k0 = y_width + h / heads * HD; let v0 = k0 + p.n_kv_head * HD;
  let i0 = (count.x - 1u - wg.x) * ${rows}u; let i = i0 + row; let at = (b * p.n_head + h) * p.T + min(i, p.T - 1u);
  let log_sum = lse[at];
  ${stageAll(stage(head_dim, s, queries, rows, 'qkv', 'i0', 'width', 'q0'))}
  var row_sum = 0.0;
  { let start = ((b * p.T + min(i, p.T - 1u)) * y_width + q0) / 8u + side;
  ${unroll(D, (c) => `{ let u = y[start + ${2 * c}u]; let v = dy[start + ${2 * c}u]; row_sum += product_of(u.xy, v.xy) + product_of(u.zw, v.zw); }`)} }
  row_sum += subgroupShuffleXor(row_sum, 1u);
  if (side == 0u && i < p.T) { delta[at] = row_sum; }
  workgroupBarrier();
  ${keep('fq', queries, head_dim)}
  workgroupBarrier();
  ${stageAll(stage(head_dim, s, queries, rows, 'dy', 'i0', 'y_width', 'q0'))}
  workgroupBarrier();
  ${keep('fd', queries, head_dim)}
  ${declare('dq', D)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / ${s.columns}u * ${s.columns}u;
  for (var j0 = first; j0 < min(i0 + ${rows}u, p.T); j0 += ${s.columns}u) {
    ${stageAll(stage(head_dim, s, keys, s.columns, 'qkv', 'j0', 'width', 'k0'), stage(head_dim, s, values, s.columns, 'qkv', 'j0', 'width', 'v0'))}
    workgroupBarrier();
    { ${declare('s', N)} ${declare('g', N)}
    ${unroll(D, (k) => `${step('s', `fq${k}`, keys, k, N, true)}\n${step('g', `fd${k}`, values, k, N, true)}`)}
    ${put('s', N, x)}
    ${put('g', N, g)} }
    workgroupBarrier();
    ${unroll(
      2 * N,
      (
        n,
      ) => `{ let w = select(vec4f(), exp(${value(x, n)} * p.scale - log_sum), seen(vec4u(i), j0 + ${columnsOf(n)} + FOUR));
    ${putPair(scores, n, `to_halves(w * (${value(g, n)} - row_sum) * p.scale)`)} }`,
    )}
    workgroupBarrier();
    ${unroll(N, (k) => `{ let a = ${left(scores, k)}; ${step('dq', 'a', keys, k, D, false)} }`)}
    workgroupBarrier();
  }
  ${store(head_dim, 'dq', out, 'i0', 'q0')}
}`;
}

/** dk and dv, as `keyCode`: rows of scores are keys here, columns queries. */
export function keySubgroupCode(
  head_dim: number,
  s: SubgroupShape = backwardShape(head_dim),
): string {
  const l = new Layout();
  const rows = rowsOfShape(s);
  const D = head_dim / 16;
  const N = s.columns / 16;
  const queries = halvesAt(l, s.columns, head_dim);
  const dys = halvesAt(l, s.columns, head_dim);
  const weights = halvesAt(l, rows, s.columns);
  const scores = halvesAt(l, rows, s.columns);
  const logs = l.take(4 * s.columns) / 4;
  const deltas = l.take(4 * s.columns) / 4;
  const { x, g, own, out } = scoresAt(l, rows, s.columns, head_dim);
  const perColumn = (at: number, n: number): string => `fours[${at / 4 + 2 * n}u + side]`;
  return `${head(head_dim, s, ['read_write> dqkv: array<vec2u>', 'read> qkv: array<vec4u>', 'read> lse: array<f32>', 'read> dy: array<vec4u>', 'read> delta: array<f32>'], l.bytes)}
  let kv = wg.y; let k0 = y_width + kv * HD; let v0 = k0 + p.n_kv_head * HD;
  // The first keys are seen by the most queries, and start first.
  let j0 = wg.x * ${rows}u; let j = j0 + row;
  ${stageAll(stage(head_dim, s, own, rows, 'qkv', 'j0', 'width', 'k0'))}
  workgroupBarrier();
  ${keep('fk', own, head_dim)}
  workgroupBarrier();
  ${stageAll(stage(head_dim, s, own, rows, 'qkv', 'j0', 'width', 'v0'))}
  workgroupBarrier();
  ${keep('fv', own, head_dim)}
  ${declare('dk', D)}
  ${declare('dv', D)}
  let end = select(p.T, min(p.T, j0 + ${rows - 1}u + p.window), p.window > 0u);
  for (var h = kv * heads; h < (kv + 1u) * heads; h++) {
    let q0 = h * HD; let stats = (b * p.n_head + h) * p.T;
    for (var i0 = j0; i0 < end; i0 += ${s.columns}u) {
      ${stageAll(stage(head_dim, s, queries, s.columns, 'qkv', 'i0', 'width', 'q0'), stage(head_dim, s, dys, s.columns, 'dy', 'i0', 'y_width', 'q0'))}
      if (tid < ${s.columns}u) { let at = stats + min(i0 + tid, p.T - 1u); let log_sum = lse[at]; let row_sum = delta[at]; floats[${logs}u + tid] = log_sum; floats[${deltas}u + tid] = row_sum; }
      workgroupBarrier();
      { ${declare('s', N)} ${declare('g', N)}
      ${unroll(D, (k) => `${step('s', `fk${k}`, queries, k, N, true)}\n${step('g', `fv${k}`, dys, k, N, true)}`)}
      ${put('s', N, x)}
      ${put('g', N, g)} }
      workgroupBarrier();
      ${unroll(
        2 * N,
        (
          n,
        ) => `{ let w = select(vec4f(), exp(${value(x, n)} * p.scale - ${perColumn(logs, n)}), seen(i0 + ${columnsOf(n)} + FOUR, vec4u(j)));
      ${putPair(weights, n, 'vec2u(pack2x16float(w.xy), pack2x16float(w.zw))')}
      ${putPair(scores, n, `to_halves(w * (${value(g, n)} - ${perColumn(deltas, n)}) * p.scale)`)} }`,
      )}
      workgroupBarrier();
      ${unroll(
        N,
        (k) => `{ let a = ${left(weights, k)}; ${step('dv', 'a', dys, k, D, false)} }
      { let a = ${left(scores, k)}; ${step('dk', 'a', queries, k, D, false)} }`,
      )}
      workgroupBarrier();
    }
  }
  ${store(head_dim, 'dk', out, 'j0', 'k0')}
  ${store(head_dim, 'dv', out, 'j0', 'v0')}
}`;
}
