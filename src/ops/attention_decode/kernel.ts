/**
 * A workgroup a (head, sequence). Each thread scores a key; then the threads share out columns and
 * keys, and add up values. Blocks of as many keys as there are threads: maximum, sum and values run
 * along as in the forward of `attention`, and are added up at the end. The number of keys comes
 * from a tensor: a program is recorded once for all positions.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { columns, type Heads } from '../heads/layout.ts';

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

interface Shape {
  /** Values of a head, in units of a vec4 where head_dim is a multiple of four. */
  units: number;
  vec: boolean;
  threads: number;
}

function decodeCode({ units, vec, threads }: Shape): string {
  const E = vec ? 'vec4f' : 'f32';
  const slices = Math.floor(threads / units);
  const dot = (x: string, y: string): string => (vec ? `dot(${x}, ${y})` : `${x} * ${y}`);
  return `
struct Params { n_head: u32, n_kv_head: u32, cache_rows: u32, window: u32, scale: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<${E}>;
@group(0) @binding(1) var<storage, read_write> cache: array<${E}>;
@group(0) @binding(2) var<storage, read> qkv: array<${E}>;
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<uniform> p: Params;
var<workgroup> query: array<${E}, ${units}>;
var<workgroup> weights: array<f32, ${threads}>;
var<workgroup> lanes: array<f32, ${threads}>;
var<workgroup> parts: array<${E}, ${threads}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let h = wg.x; let b = wg.y; let group = p.n_head / p.n_kv_head; let kv = h / group;
  let half = p.n_kv_head * ${units}u; let width = (p.n_head + 2u * p.n_kv_head) * ${units}u;
  let new_key = b * width + p.n_head * ${units}u + kv * ${units}u; let new_value = new_key + half;
  let position = u32(positions[b]);
  let end = min(position + 1u, p.cache_rows);
  let first = select(0u, max(end, p.window) - p.window, p.window > 0u);
  let rows = b * p.cache_rows; let column = tid % ${units}u; let slice = tid / ${units}u;
  if (tid < ${units}u) {
    query[tid] = qkv[b * width + h * ${units}u + tid] * p.scale;
    // The new row is written here and read from qkv, by every head that shares it.
    if (h % group == 0u && position < p.cache_rows) {
      let to = (rows + position) * 2u * half + kv * ${units}u + tid;
      cache[to] = qkv[new_key + tid]; cache[to + half] = qkv[new_value + tid];
    }
  }
  var top = -3.0e38; var total = 0.0; var sum = ${E}();
  for (var j0 = first; j0 < end; j0 += ${threads}u) {
    workgroupBarrier();
    let j = j0 + tid;
    var score = -3.0e38;
    if (j < end) {
      score = 0.0;
      if (j == position) { for (var d = 0u; d < ${units}u; d++) { score += ${dot('query[d]', 'qkv[new_key + d]')}; } }
      else { let row = (rows + j) * 2u * half + kv * ${units}u; for (var d = 0u; d < ${units}u; d++) { score += ${dot('query[d]', 'cache[row + d]')}; } }
    }
    lanes[tid] = score;
    workgroupBarrier();
    for (var w = ${threads / 2}u; w > 0u; w >>= 1u) {
      if (tid < w) { lanes[tid] = max(lanes[tid], lanes[tid + w]); }
      workgroupBarrier();
    }
    let m = max(top, lanes[0]); let shrink = exp(top - m);
    let weight = select(0.0, exp(score - m), j < end);
    weights[tid] = weight;
    total = total * shrink + weight; sum *= shrink; top = m;
    workgroupBarrier();
    let keys = min(${threads}u, end - j0);
    if (slice < ${slices}u) {
      for (var n = slice; n < keys; n += ${slices}u) {
        let row = (rows + j0 + n) * 2u * half + half + kv * ${units}u + column;
        var value = qkv[new_value + column];
        if (j0 + n != position) { value = cache[row]; }
        sum += weights[n] * value;
      }
    }
  }
  workgroupBarrier();
  lanes[tid] = total; parts[tid] = sum;
  workgroupBarrier();
  for (var w = ${threads / 2}u; w > 0u; w >>= 1u) {
    if (tid < w) { lanes[tid] += lanes[tid + w]; }
    if (slice < w && slice + w < ${slices}u) { parts[tid] += parts[tid + w * ${units}u]; }
    workgroupBarrier();
  }
  if (tid < ${units}u) { y[(b * p.n_head + h) * ${units}u + tid] = parts[tid] / lanes[0]; }
}`;
}

/** Writes the new row into the cache, in place. */
export function attentionDecodeKernel(
  qkv: Tensor,
  cache: Tensor,
  positions: Tensor,
  a: Heads & { B: number; T_max: number; window: number },
): Tensor {
  const y = output([a.B, columns(a).q]);
  const vec = a.head_dim % 4 === 0;
  const units = vec ? a.head_dim / 4 : a.head_dim;
  const threads = Math.max(64, powerOfTwo(units), Math.min(256, powerOfTwo(a.T_max)));
  dispatch({
    name: 'attention_decode',
    code: decodeCode({ units, vec, threads }),
    writes: [y],
    updates: [cache],
    reads: [qkv, positions],
    params: [
      ['u32', a.n_head],
      ['u32', a.n_kv_head],
      ['u32', a.T_max],
      ['u32', a.window],
      ['f32', 1 / Math.sqrt(a.head_dim)],
    ],
    workgroups: [a.n_head, a.B, 1],
  });
  return y;
}
