/**
 * RMSNorm's gradient of the input alone (the weight is frozen) on WebGPU; the rest is in
 * layer_norm/.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { threadsForRow, workgroupSum } from '../wgsl/index.ts';
import gradXCode from './rms_norm_grad_x.wgsl?raw';

/** New, or added to `into`. */
export function gradXKernel(
  x: Tensor,
  weight: Tensor,
  rstd: Tensor,
  dy: Tensor,
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
