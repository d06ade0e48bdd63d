/** RMSNorm on WebGPU, and the gradient of its input alone; layer_norm/grad_kernel.ts has all gradients. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { threadsForRow, workgroupSum } from '../wgsl/index.ts';
import rmsNormCode from './rms_norm.wgsl?raw';
import gradXCode from './rms_norm_grad_x.wgsl?raw';

export function rmsNormKernel(x: Tensor, weight: Tensor, eps: number): Record<'y' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape), out = { y: output([n, d]), rstd: output([n]) };
  dispatch({
    name: 'rms_norm', code: workgroupSum + rmsNormCode, constants: { WORKGROUP: threadsForRow(d) },
    writes: [out.y, out.rstd], reads: [x, weight], params: [['u32', n], ['u32', d], ['f32', eps]], workgroups: grid(n),
  });
  return out;
}

/** New, or added to `into`. */
export function gradXKernel(x: Tensor, weight: Tensor, rstd: Tensor, dy: Tensor, into: Tensor | undefined): Tensor {
  const [n, d] = dims2(x.shape), dx = into ?? output([n, d]);
  dispatch({
    name: 'rms_norm_grad_x', code: workgroupSum + gradXCode, constants: { WORKGROUP: threadsForRow(d), ADD: into ? 1 : 0 },
    writes: into ? [] : [dx], updates: into ? [into] : [], reads: [x, weight, rstd, dy], params: [['u32', n], ['u32', d]], workgroups: grid(n),
  });
  return dx;
}
