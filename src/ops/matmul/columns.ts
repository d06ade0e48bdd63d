/** WGSL around a product: adding up its parts, and the columns of a matrix. */
import { HALVES } from '../../backend/index.ts';
import {
  bindingsCode,
  type Epilogue,
  finishCode,
  finishNow,
  type Halves,
  slotsOf,
} from './epilogue.ts';

/**
 * Sums the partial results of a split product, in order. Bindings: `slotsOf(epilogue, [partials,
 * column_parts])`, the latter where there are columns; uniforms n (values of a result), splits, N,
 * and of how many parts the sums of columns are; n and N count in fours where N is a multiple of
 * four.
 */
export function reduceCode(e: Epilogue, vec: boolean, halves: Halves): string {
  const columns = e.columns !== 'none';
  return `
struct Params { n: u32, splits: u32, N: u32, column_splits: u32 }
${bindingsCode(slotsOf(e, columns ? ['partials', 'column_parts'] : ['partials']), halves, () => (vec ? 'vec4f' : 'f32'))}
${finishCode(e, vec, halves)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i < p.n) {
    var sum = partials[i];
    for (var s = 1u; s < p.splits; s++) { sum += partials[s * p.n + i]; }
    ${finishNow(e, halves, 'i', 'i % p.N', 'sum')};
  }${
    columns
      ? ` else if (i < p.n + p.N) {
    let j = i - p.n;
    var sum = column_parts[j];
    for (var s = 1u; s < p.column_splits; s++) { sum += column_parts[s * p.N + j]; }
    columns[j] ${e.columns === 'add' ? '+=' : '='} sum;
  }`
      : ''
  }
}`;
}

/** Rows that a workgroup of `columnsCode` takes at least. */
export const COLUMN_ROWS = 64;

/**
 * Sums of `rows` rows at a time of x [n, d], to parts [workgroups along y, d]; d is counted in
 * fours where `vec`. A workgroup takes 16 columns (or fours), 16 lanes go through its rows, and the
 * lanes are added in order. `half`: x is stored as halves.
 */
export function columnsCode(vec: boolean, half: boolean): string {
  const T = vec ? 'vec4f' : 'f32';
  return `${half ? HALVES : ''}
@group(0) @binding(0) var<storage, read_write> parts: array<${T}>;
@group(0) @binding(1) var<storage, read> x: array<${half ? 'vec2u' : T}>;
struct Params { n: u32, d: u32, rows: u32 }
@group(0) @binding(2) var<uniform> p: Params;
var<workgroup> lanes: array<array<${T}, 16>, 16>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let c = l % 16u; let lane = l / 16u; let column = w.x * 16u + c; let end = min(p.n, (w.y + 1u) * p.rows);
  var sum = ${T}();
  if (column < p.d) { for (var i = w.y * p.rows + lane; i < end; i += 16u) { sum += ${half ? 'from_halves(x[i * p.d + column])' : 'x[i * p.d + column]'}; } }
  lanes[lane][c] = sum;
  workgroupBarrier();
  if (lane == 0u && column < p.d) {
    for (var i = 1u; i < 16u; i++) { sum += lanes[i][c]; }
    parts[w.y * p.d + column] = sum;
  }
}`;
}
