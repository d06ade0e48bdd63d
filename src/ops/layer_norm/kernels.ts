/** LayerNorm on WebGPU, and the gradient of its input alone (the weight is frozen); grad_kernel.ts has all gradients. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { threadsForRow, workgroupSum } from '../wgsl/index.ts';
import layerNormCode from './layer_norm.wgsl?raw';
import gradXCode from './layer_norm_grad_x.wgsl?raw';

export function layerNormKernel(x: Tensor, weight: Tensor, bias: Tensor | null, eps: number): Record<'y' | 'mean' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape), out = { y: output([n, d]), mean: output([n]), rstd: output([n]) };
  dispatch({
    name: 'layer_norm', code: workgroupSum + layerNormCode, constants: { WORKGROUP: threadsForRow(d), BIAS: bias ? 1 : 0 },
    writes: [out.y, out.mean, out.rstd], reads: [x, weight, bias ?? weight], params: [['u32', n], ['u32', d], ['f32', eps]], workgroups: grid(n),
  });
  return out;
}

/** New, or added to `into`. */
export function gradXKernel(x: Tensor, weight: Tensor, mean: Tensor, rstd: Tensor, dy: Tensor, into: Tensor | undefined): Tensor {
  const [n, d] = dims2(x.shape), dx = into ?? output([n, d]);
  dispatch({
    name: 'layer_norm_grad_x', code: workgroupSum + gradXCode, constants: { WORKGROUP: threadsForRow(d), ADD: into ? 1 : 0 },
    writes: into ? [] : [dx], updates: into ? [into] : [], reads: [x, weight, mean, rstd, dy], params: [['u32', n], ['u32', d]], workgroups: grid(n),
  });
  return dx;
}
