/**
 * LayerNorm and RMSNorm on WebGPU, and LayerNorm's gradient of the input alone, for frozen
 * parameters. grad_kernel.ts computes all gradients.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output, type Param } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { remembered, threadsForRow, unitCode, widthOf, workgroupSum } from '../wgsl/index.ts';
import { normCode } from './forward_code.ts';
import { type Lanes, lanesOf } from './lanes.ts';
import gradXCode from './layer_norm_grad_x.wgsl?raw';
import type { NormGradInputs } from './types.ts';

const normSource = remembered(normCode);

const normParams = (n: number, d: number, lanes: Lanes, eps: number): Param[] => [
  ['u32', n],
  ['u32', lanes.units],
  ['f32', d],
  ['f32', eps],
];

/** x [N, d], weight [d], bias [d] or null -> y [N, d], mean [N], rstd [N]. */
export function layerNormKernel(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  eps: number,
): Record<'y' | 'mean' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const y = activation([n, d]);
  const mean = output([n]);
  const rstd = output([n]);
  const units = unitCode(widthOf(d), { x, y });
  dispatch({
    name: 'layer_norm',
    code: normSource({ lanes, units, center: true, bias: bias !== null }),
    writes: [y, rstd, mean],
    reads: bias ? [x, weight, bias] : [x, weight],
    params: normParams(n, d, lanes, eps),
    workgroups: grid(Math.ceil(n / lanes.rows)),
  });
  return { y, mean, rstd };
}

/** x [N, d], weight [d] -> y [N, d], rstd [N]. */
export function rmsNormKernel(
  x: Tensor,
  weight: Tensor,
  eps: number,
): Record<'y' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const y = activation([n, d]);
  const rstd = output([n]);
  const units = unitCode(widthOf(d), { x, y });
  dispatch({
    name: 'rms_norm',
    code: normSource({ lanes, units, center: false, bias: false }),
    writes: [y, rstd],
    reads: [x, weight],
    params: normParams(n, d, lanes, eps),
    workgroups: grid(Math.ceil(n / lanes.rows)),
  });
  return { y, rstd };
}

/** LayerNorm's dx [N, d]: a new tensor, or `into` with dx added to it. */
export function layerNormGradXKernel(
  { x, weight, mean, rstd, dy }: NormGradInputs & { mean: Tensor },
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
