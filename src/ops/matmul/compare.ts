/**
 * Fills and compares matrices on the GPU, for checks of kernels: nothing is uploaded and only two
 * numbers are read back.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid } from '../../backend/index.ts';

const FILL = `
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
struct Params { n: u32, seed: u32 }
@group(0) @binding(1) var<uniform> p: Params;
@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  var h = (i ^ p.seed) * 0x9e3779b1u;
  h = (h ^ (h >> 15u)) * 0x85ebca77u;
  values[i] = f32((h ^ (h >> 13u)) >> 8u) / 8388608.0 - 1.0;
}`;

/** Fills a tensor with pseudorandom values in [-1, 1). */
export function fillWithNoise(target: Tensor, seed: number): void {
  dispatch({
    name: 'noise',
    code: FILL,
    writes: [target],
    reads: [],
    params: [
      ['u32', target.size],
      ['u32', seed],
    ],
    workgroups: grid(Math.ceil(target.size / 256)),
  });
}

// Bit patterns of non-negative floats are ordered as the floats are, with infinity and NaN above
// all, so integer atomics find the maximum.
const DIFFERENCE = `
@group(0) @binding(0) var<storage, read_write> largest: array<atomic<u32>, 2>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
struct Params { n: u32 }
@group(0) @binding(3) var<uniform> p: Params;
@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  var difference = 0u; var size = 0u;
  for (var i = w.x * 256u + l; i < p.n; i += count.x * 256u) {
    difference = max(difference, bitcast<u32>(abs(x[i] - y[i])));
    size = max(size, bitcast<u32>(abs(y[i])));
  }
  atomicMax(&largest[0], difference); atomicMax(&largest[1], size);
}`;

/**
 * Raises `largest` [2] to the maximum of |x - y| and of |y|. Zero it before the first comparison; a
 * NaN stays.
 */
export function largestDifference(largest: Tensor, x: Tensor, y: Tensor): void {
  dispatch({
    name: 'difference',
    code: DIFFERENCE,
    writes: [],
    updates: [largest],
    reads: [x, y],
    params: [['u32', x.size]],
    workgroups: [Math.min(512, Math.ceil(x.size / 256)), 1, 1],
  });
}
