/**
 * WGSL of qk_norm. A workgroup takes eight heads with eight threads each; the units (`unitCode`) of
 * a thread are eight columns apart. v heads are copied. The gradient of the weights leaves one
 * partial sum per workgroup, which are added in a fixed order.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import type { Heads } from '../heads/layout.ts';
import { dims2 } from '../host.ts';
import { sumPartials } from '../matmul/sum_partials.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';

type Attrs = Heads & { eps: number };

/** `head_sum`: the sum over the eight threads of a head. */
const HEAD_SUM = `
var<workgroup> red: array<array<f32, 8>, 8>;
fn head_sum(head: u32, lane: u32, v: f32) -> f32 {
  workgroupBarrier();
  red[head][lane] = v;
  workgroupBarrier();
  return ((red[head][0] + red[head][1]) + (red[head][2] + red[head][3]))
    + ((red[head][4] + red[head][5]) + (red[head][6] + red[head][7]));
}`;
/** Which head this thread works on, and where it starts. */
const ITEM = `
  let lane = tid % 8u; let slot = tid / 8u;
  let item = (wg.y * count.x + wg.x) * 8u + slot;
  let heads = p.n_head + 2u * p.n_kv_head;
  let inside = item < p.rows * heads;
  // Packed heads are contiguous, so head number \`item\` of the matrix starts here.
  let start = item * p.units;
  let head = item % heads;
  let copied = head >= p.n_head + p.n_kv_head;`;
const PARAMS = 'struct Params { rows: u32, n_head: u32, n_kv_head: u32, units: u32, eps: f32 }';
const MAIN = `@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {`;

const FORWARD = `
${PARAMS}
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(2) var<storage, read> q_weight: array<Unit>;
@group(0) @binding(3) var<storage, read> k_weight: array<Unit>;
@group(0) @binding(4) var<uniform> p: Params;
${HEAD_SUM}
${MAIN}
  ${ITEM}
  var squares = 0.0;
  if (inside) {
    for (var d = lane; d < p.units; d += 8u) {
      let x = get_qkv(qkv[start + d]);
      squares += sum_of(x * x);
    }
  }
  let scale = inverseSqrt(head_sum(slot, lane, squares) / f32(p.units * WIDTH) + p.eps);
  if (!inside) { return; }
  for (var d = lane; d < p.units; d += 8u) {
    let x = get_qkv(qkv[start + d]);
    if (copied) {
      y[start + d] = put_y(x);
    } else {
      y[start + d] = put_y(x * scale * select(k_weight[d], q_weight[d], head < p.n_head));
    }
  }
}`;

const GRAD_INPUT = `
${PARAMS}
@group(0) @binding(0) var<storage, read_write> dx: array<dx_stored>;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(2) var<storage, read> q_weight: array<Unit>;
@group(0) @binding(3) var<storage, read> k_weight: array<Unit>;
@group(0) @binding(4) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(5) var<uniform> p: Params;
${HEAD_SUM}
fn weight_of(head: u32, d: u32) -> Unit {
  return select(k_weight[d], q_weight[d], head < p.n_head);
}
${MAIN}
  ${ITEM}
  var squares = 0.0; var products = 0.0;
  if (inside) {
    for (var d = lane; d < p.units; d += 8u) {
      let x = get_qkv(qkv[start + d]);
      squares += sum_of(x * x);
      products += sum_of(get_dy(dy[start + d]) * weight_of(head, d) * x);
    }
  }
  let n = f32(p.units * WIDTH);
  let scale = inverseSqrt(head_sum(slot, lane, squares) / n + p.eps);
  let mean = head_sum(slot, lane, products) * scale / n;
  if (!inside) { return; }
  for (var d = lane; d < p.units; d += 8u) {
    let g = get_dy(dy[start + d]);
    if (copied) {
      dx[start + d] = put_dx(g);
    } else {
      dx[start + d] = put_dx(
        scale * (g * weight_of(head, d) - get_qkv(qkv[start + d]) * scale * mean));
    }
  }
}`;

/**
 * Workgroups take turns at groups of eight heads of the part (q or k); each thread adds up its own
 * columns, for all of its heads.
 */
const gradWeight = (units: number): string => `
struct Params { rows: u32, heads: u32, first: u32, count: u32, eps: f32 }
@group(0) @binding(0) var<storage, read_write> partials: array<Unit>;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(2) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(3) var<uniform> p: Params;
const UNITS = ${units}u;
const COLUMNS = ${Math.ceil(units / 8)}u;
${HEAD_SUM}
var<workgroup> red_units: array<array<Unit, 8>, 8>;
// The same for the values of a unit, component by component.
fn unit_sum(head: u32, lane: u32, v: Unit) -> Unit {
  workgroupBarrier();
  red_units[head][lane] = v;
  workgroupBarrier();
  var sum = red_units[head][0];
  for (var n = 1u; n < 8u; n++) { sum += red_units[head][n]; }
  return sum;
}
${MAIN}
  let lane = tid % 8u; let slot = tid / 8u;
  let items = p.rows * p.count;
  var sums: array<Unit, COLUMNS>;
  for (var base = wg.x * 8u; base < items; base += count.x * 8u) {
    let item = base + slot;
    let inside = item < items;
    let start = (item / p.count * p.heads + p.first + item % p.count) * UNITS;
    var squares = 0.0;
    if (inside) {
      for (var d = lane; d < UNITS; d += 8u) {
        let x = get_qkv(qkv[start + d]);
        squares += sum_of(x * x);
      }
    }
    let scale = inverseSqrt(head_sum(slot, lane, squares) / f32(UNITS * WIDTH) + p.eps);
    if (inside) {
      for (var c = 0u; c < COLUMNS; c++) {
        let d = lane + 8u * c;
        if (d < UNITS) { sums[c] += get_dy(dy[start + d]) * get_qkv(qkv[start + d]) * scale; }
      }
    }
  }
  for (var c = 0u; c < COLUMNS; c++) {
    // Sum over the eight heads: lane and slot are swapped, so that a row of red belongs to a lane.
    let sum = unit_sum(lane, slot, sums[c]);
    let d = lane + 8u * c;
    if (slot == 0u && d < UNITS) { partials[wg.x * UNITS + d] = sum; }
  }
}`;

const itemParams = (rows: number, attrs: Attrs) =>
  [
    ['u32', rows],
    ['u32', attrs.n_head],
    ['u32', attrs.n_kv_head],
    ['u32', attrs.head_dim / widthOf(attrs.head_dim)],
    ['f32', attrs.eps],
  ] as const;
const workgroupsOf = (rows: number, attrs: Attrs) =>
  grid(Math.ceil((rows * (attrs.n_head + 2 * attrs.n_kv_head)) / 8));

export function qkNormKernel(
  { qkv, q_weight, k_weight }: Tensors<'qkv' | 'q_weight' | 'k_weight'>,
  attrs: Attrs,
): Tensors<'y'> {
  const [rows] = dims2(qkv.shape);
  const y = activation(qkv.shape);
  dispatch({
    name: 'qk_norm',
    code: unitCode(widthOf(attrs.head_dim), { y, qkv }) + FORWARD,
    writes: [y],
    reads: [qkv, q_weight, k_weight],
    params: itemParams(rows, attrs),
    workgroups: workgroupsOf(rows, attrs),
  });
  return { y };
}

export function qkNormGradInputKernel(
  { qkv, q_weight, k_weight, dy }: Tensors<'qkv' | 'q_weight' | 'k_weight' | 'dy'>,
  attrs: Attrs,
): Tensors<'dx'> {
  const [rows] = dims2(qkv.shape);
  const dx = activation(qkv.shape);
  dispatch({
    name: 'qk_norm_grad_input',
    code: unitCode(widthOf(attrs.head_dim), { dx, qkv, dy }) + GRAD_INPUT,
    writes: [dx],
    reads: [qkv, q_weight, k_weight, dy],
    params: itemParams(rows, attrs),
    workgroups: workgroupsOf(rows, attrs),
  });
  return { dx };
}

/**
 * The largest number of partial sums. It does not depend on the device, so the order of additions
 * and therefore the result is the same everywhere.
 */
const MAX_PARTIALS = 128;

/** Heads of a row: `first` and the ones after it. */
export interface HeadRange {
  first: number;
  count: number;
}

/** dweight [head_dim] of the heads in the range, or the gradient added to `into`. */
export function qkNormGradWeightKernel(
  { qkv, dy }: Tensors<'qkv' | 'dy'>,
  attrs: Attrs,
  { first, count }: HeadRange,
  into?: Tensor,
): Tensors<'dweight'> {
  const [rows] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim, eps } = attrs;
  const width = widthOf(head_dim);
  const parts = Math.min(MAX_PARTIALS, Math.ceil((rows * count) / 8));
  const partials = output([parts, head_dim]);
  dispatch({
    name: 'qk_norm_grad_weight',
    code: unitCode(width, { qkv, dy }) + gradWeight(head_dim / width),
    writes: [partials],
    reads: [qkv, dy],
    params: [
      ['u32', rows],
      ['u32', n_head + 2 * n_kv_head],
      ['u32', first],
      ['u32', count],
      ['f32', eps],
    ],
    workgroups: [parts, 1, 1],
  });
  const dweight = sumPartials(partials, [head_dim], parts, { into });
  partials.dispose();
  return { dweight };
}
