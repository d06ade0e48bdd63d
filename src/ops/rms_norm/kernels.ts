/**
 * RMSNorm's gradient of the input alone, for a frozen weight, on WebGPU. Its other kernels are
 * LayerNorm's (layer_norm/).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import type { NormGradInputs } from '../layer_norm/types.ts';
import { threadsForRow, workgroupSum } from '../wgsl/index.ts';
import gradXCode from './rms_norm_grad_x.wgsl?raw';

/** RMSNorm's dx [N, d]: a new tensor, or `into` with dx added to it. */
export function rmsNormGradXKernel(
  { x, weight, rstd, dy }: Omit<NormGradInputs, 'mean'>,
  into: Tensor | undefined,
): Tensor {
  const [n, d] = dims2(x.shape);
  const dx = into ?? output([n, d]);
  dispatch({
    name: 'rms_norm_grad_x',
    code: workgroupSum + gradXCode,
    constants: { WORKGROUP: threadsForRow(d), ADD: into ? 1 : 0 },
    writes: into ? [] : [dx],
    updates: into ? [into] : [],
    reads: [x, weight, rstd, dy],
    params: [
      ['u32', n],
      ['u32', d],
    ],
    workgroups: grid(n),
  });
  return dx;
}
