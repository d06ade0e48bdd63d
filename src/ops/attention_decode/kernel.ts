/**
 * WGSL of attention over a KV cache. A workgroup takes one head of one sequence. Each thread scores
 * one key; then the threads share out columns and keys to add up values. Keys come in blocks of as
 * many as there are threads: maximum, sum and values are kept running, as in the forward pass of
 * `attention`. The number of keys is read from a tensor, because a program is recorded once and
 * replayed for all positions.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { columns, type Heads } from '../heads/layout.ts';

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

interface Shape {
  /** Whether a unit is a vec4 (head_dim is a multiple of four) or one value. */
  vec: boolean;
  /** Units per head. */
  units: number;
  threads: number;
}

/** The running maximum, and the weight of this thread's key. */
const scoreBlock = ({ units, vec, threads }: Shape): string => {
  const dot = (x: string, y: string): string => (vec ? `dot(${x}, ${y})` : `${x} * ${y}`);
  return `let j = j0 + tid;
    var score = -3.0e38;
    if (j < end) {
      score = 0.0;
      if (j == position) {
        for (var d = 0u; d < ${units}u; d++) { score += ${dot('query[d]', 'qkv[new_key + d]')}; }
      }
      else {
        let row = (rows + j) * 2u * half + kv * ${units}u;
        for (var d = 0u; d < ${units}u; d++) { score += ${dot('query[d]', 'cache[row + d]')}; }
      }
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
    workgroupBarrier();`;
};

/** Adds the block's weighted values to this thread's column. */
const addValues = ({ units, threads }: Shape): string => {
  const slices = Math.floor(threads / units);
  return `let keys = min(${threads}u, end - j0);
    if (slice < ${slices}u) {
      for (var n = slice; n < keys; n += ${slices}u) {
        let row = (rows + j0 + n) * 2u * half + half + kv * ${units}u + column;
        var value = qkv[new_value + column];
        if (j0 + n != position) { value = cache[row]; }
        sum += weights[n] * value;
      }
    }`;
};

/** Adds up the sums of all threads and writes y. */
const writeResult = ({ units, threads }: Shape): string => `workgroupBarrier();
  lanes[tid] = total; parts[tid] = sum;
  workgroupBarrier();
  for (var w = ${threads / 2}u; w > 0u; w >>= 1u) {
    if (tid < w) { lanes[tid] += lanes[tid + w]; }
    if (slice < w && slice + w < ${Math.floor(threads / units)}u) {
      parts[tid] += parts[tid + w * ${units}u];
    }
    workgroupBarrier();
  }
  if (tid < ${units}u) { y[(b * p.n_head + h) * ${units}u + tid] = parts[tid] / lanes[0]; }`;

function decodeCode(shape: Shape): string {
  const { units, vec, threads } = shape;
  const element = vec ? 'vec4f' : 'f32';
  return `
struct Params { n_head: u32, n_kv_head: u32, cache_rows: u32, window: u32, scale: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<${element}>;
@group(0) @binding(1) var<storage, read_write> cache: array<${element}>;
@group(0) @binding(2) var<storage, read> qkv: array<${element}>;
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<uniform> p: Params;
var<workgroup> query: array<${element}, ${units}>;
var<workgroup> weights: array<f32, ${threads}>;
var<workgroup> lanes: array<f32, ${threads}>;
var<workgroup> parts: array<${element}, ${threads}>;

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
    // The new row is written here; every head that shares it reads it from qkv.
    if (h % group == 0u && position < p.cache_rows) {
      let to = (rows + position) * 2u * half + kv * ${units}u + tid;
      cache[to] = qkv[new_key + tid]; cache[to + half] = qkv[new_value + tid];
    }
  }
  var top = -3.0e38; var total = 0.0; var sum = ${element}();
  for (var j0 = first; j0 < end; j0 += ${threads}u) {
    workgroupBarrier();
    ${scoreBlock(shape)}
    ${addValues(shape)}
  }
  ${writeResult(shape)}
}`;
}

/** y [B, n_head head_dim]; writes the new rows into the cache in place. */
export function attentionDecodeKernel(
  qkv: Tensor,
  cache: Tensor,
  positions: Tensor,
  attrs: Heads & { B: number; T_max: number; window: number },
): Tensor {
  const y = output([attrs.B, columns(attrs).q]);
  const vec = attrs.head_dim % 4 === 0;
  const units = vec ? attrs.head_dim / 4 : attrs.head_dim;
  // At least one key per thread, up to 256.
  const threads = Math.max(64, powerOfTwo(units), Math.min(256, powerOfTwo(attrs.T_max)));
  dispatch({
    name: 'attention_decode',
    code: decodeCode({ units, vec, threads }),
    writes: [y],
    updates: [cache],
    reads: [qkv, positions],
    params: [
      ['u32', attrs.n_head],
      ['u32', attrs.n_kv_head],
      ['u32', attrs.T_max],
      ['u32', attrs.window],
      ['f32', 1 / Math.sqrt(attrs.head_dim)],
    ],
    workgroups: [attrs.n_head, attrs.B, 1],
  });
  return y;
}
