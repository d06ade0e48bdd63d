/**
 * LayerNorm and RMSNorm on WebGPU, and LayerNorm's gradient of the input alone (the weight is
 * frozen); grad_kernel.ts has all gradients.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { threadsForRow, unroll, unitCode, widthOf, workgroupSum } from '../wgsl/index.ts';
import { laneCode, type Lanes, lanesOf } from './lanes.ts';
import gradXCode from './layer_norm_grad_x.wgsl?raw';

/**
 * `units`: how x and y lie in memory (`unitCode`). Each row goes through registers once: its mean,
 * then the mean square of what is left, then what comes out.
 */
function normCode(lanes: Lanes, units: string, centre: boolean, bias: boolean): string {
  const { element: E, slots } = lanes;
  const first = centre ? 3 : 2;
  const sumOf = (of: (k: number) => string): string =>
    Array.from({ length: slots }, (_, k) => `total(${of(k)})`).join(' + ');
  return `${units}${laneCode(lanes)}
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read_write> rstd: array<f32>;
${centre ? '@group(0) @binding(2) var<storage, read_write> mean: array<f32>;' : ''}
@group(0) @binding(${first}) var<storage, read> x: array<x_stored>;
@group(0) @binding(${first + 1}) var<storage, read> weight: array<${E}>;
${bias ? `@group(0) @binding(${first + 2}) var<storage, read> bias: array<${E}>;` : ''}
struct Params { n: u32, units: u32, d: f32, eps: f32 }
@group(0) @binding(${first + (bias ? 3 : 2)}) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let lane = l % LANES;
  let row = (w.y * count.x + w.x) * ROWS + l / LANES; let here = row < p.n; let start = row * p.units;
  ${unroll(slots, (k) => `let u${k} = lane + ${k}u * LANES; let in${k} = here && u${k} < p.units; var x${k} = ${E}(); if (in${k}) { x${k} = get_x(x[start + u${k}]); }`)}
  ${
    centre
      ? `let m = row_sum(vec2f(${sumOf((k) => `x${k}`)}, 0.0), l, 0u).x / p.d;
  ${unroll(slots, (k) => `if (in${k}) { x${k} -= m; }`)}`
      : ''
  }
  let r = inverseSqrt(row_sum(vec2f(${sumOf((k) => `x${k} * x${k}`)}, 0.0), l, 1u).x / p.d + p.eps);
  ${unroll(slots, (k) => `if (in${k}) { y[start + u${k}] = put_y(x${k} * r * weight[u${k}]${bias ? ` + bias[u${k}]` : ''}); }`)}
  if (here && lane == 0u) { rstd[row] = r; ${centre ? 'mean[row] = m;' : ''} }
}`;
}

export function layerNormKernel(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  eps: number,
): Record<'y' | 'mean' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const out = { y: activation([n, d]), mean: output([n]), rstd: output([n]) };
  dispatch({
    name: 'layer_norm',
    code: normCode(lanes, unitCode(widthOf(d), { x, y: out.y }), true, bias !== null),
    writes: [out.y, out.rstd, out.mean],
    reads: [x, weight, ...(bias ? [bias] : [])],
    params: [
      ['u32', n],
      ['u32', lanes.units],
      ['f32', d],
      ['f32', eps],
    ],
    workgroups: grid(Math.ceil(n / lanes.rows)),
  });
  return out;
}

export function rmsNormKernel(
  x: Tensor,
  weight: Tensor,
  eps: number,
): Record<'y' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const out = { y: activation([n, d]), rstd: output([n]) };
  dispatch({
    name: 'rms_norm',
    code: normCode(lanes, unitCode(widthOf(d), { x, y: out.y }), false, false),
    writes: [out.y, out.rstd],
    reads: [x, weight],
    params: [
      ['u32', n],
      ['u32', lanes.units],
      ['f32', d],
      ['f32', eps],
    ],
    workgroups: grid(Math.ceil(n / lanes.rows)),
  });
  return out;
}

/** New, or added to `into`. */
export function gradXKernel(
  x: Tensor,
  weight: Tensor,
  mean: Tensor,
  rstd: Tensor,
  dy: Tensor,
  into: Tensor | undefined,
): Tensor {
  const [n, d] = dims2(x.shape);
  const dx = into ?? output([n, d]);
  dispatch({
    name: 'layer_norm_grad_x',
    code: workgroupSum + gradXCode,
    constants: { WORKGROUP: threadsForRow(d), ADD: into ? 1 : 0 },
    writes: into ? [] : [dx],
    updates: into ? [into] : [],
    reads: [x, weight, mean, rstd, dy],
    params: [
      ['u32', n],
      ['u32', d],
    ],
    workgroups: grid(n),
  });
  return dx;
}
