/** WGSL of the kernels next to a matmul: adding up its parts, and summing the columns of a matrix. */
import { HALVES } from '../../backend/index.ts';
import {
  bindingsCode,
  type Epilogue,
  finishCode,
  finishNow,
  type Float16Slots,
  slotsOf,
} from './epilogue.ts';

/**
 * Adds up the partial results of a split matmul, in order, and applies the epilogue. Where the
 * epilogue has columns, their partial sums are added up in the same dispatch.
 *
 * Bindings: `slotsOf(epilogue, ['partials', 'column_parts'])`, the latter only if there are columns.
 * Uniforms: n (values of a result), splits, N, column_splits. If `vec`, n and N count vec4.
 */
export function reduceCode(epilogue: Epilogue, vec: boolean, float16: Float16Slots): string {
  const columns = epilogue.columns !== 'none';
  const slots = slotsOf(epilogue, columns ? ['partials', 'column_parts'] : ['partials']);
  return `
struct Params { n: u32, splits: u32, N: u32, column_splits: u32 }
${bindingsCode(slots, float16, () => (vec ? 'vec4f' : 'f32'))}
${finishCode(epilogue, vec, float16)}
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i < p.n) {
    var sum = partials[i];
    for (var s = 1u; s < p.splits; s++) { sum += partials[s * p.n + i]; }
    ${finishNow(epilogue, float16, { i: 'i', n: 'i % p.N', value: 'sum' })};
  }${columns ? reduceColumns(epilogue) : ''}
}`;
}

const reduceColumns = ({ columns }: Epilogue): string => ` else if (i < p.n + p.N) {
    let j = i - p.n;
    var sum = column_parts[j];
    for (var s = 1u; s < p.column_splits; s++) { sum += column_parts[s * p.N + j]; }
    columns[j] ${columns === 'add' ? '+=' : '='} sum;
  }`;

/** The fewest rows that a workgroup of `columnsCode` sums. */
export const COLUMN_ROWS = 64;

/**
 * Sums `rows` rows at a time of x [n, d], giving parts [workgroups along y, d]. A workgroup covers
 * 16 columns (or vec4 of columns) with 16 lanes, which each take every 16th row; the lanes are
 * added in order.
 *
 * `vec`: d counts vec4. `float16`: x is stored as float16.
 */
export function columnsCode(vec: boolean, float16: boolean): string {
  const T = vec ? 'vec4f' : 'f32';
  const value = float16 ? 'from_halves(x[i * p.d + column])' : 'x[i * p.d + column]';
  return `${float16 ? HALVES : ''}
@group(0) @binding(0) var<storage, read_write> parts: array<${T}>;
@group(0) @binding(1) var<storage, read> x: array<${float16 ? 'vec2u' : T}>;
struct Params { n: u32, d: u32, rows: u32 }
@group(0) @binding(2) var<uniform> p: Params;
var<workgroup> lanes: array<array<${T}, 16>, 16>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let c = l % 16u;
  let lane = l / 16u;
  let column = w.x * 16u + c;
  let end = min(p.n, (w.y + 1u) * p.rows);
  var sum = ${T}();
  if (column < p.d) {
    for (var i = w.y * p.rows + lane; i < end; i += 16u) { sum += ${value}; }
  }
  lanes[lane][c] = sum;
  workgroupBarrier();
  if (lane == 0u && column < p.d) {
    for (var i = 1u; i < 16u; i++) { sum += lanes[i][c]; }
    parts[w.y * p.d + column] = sum;
  }
}`;
}
