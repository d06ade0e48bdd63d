/** Cross-entropy and its gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, threadsForRow } from '../wgsl/index.ts';
import code from './cross_entropy.wgsl?raw';
import gradCode from './cross_entropy_grad.wgsl?raw';

export function crossEntropyKernel(logits: Tensor, targets: Tensor): Record<'loss' | 'lse' | 'probability' | 'correct', Tensor> {
  const [n, v] = dims2(logits.shape), out = { loss: output([n]), lse: output([n]), probability: output([n]), correct: output([n]) };
  dispatch({
    name: 'cross_entropy', code, constants: { WORKGROUP: threadsForRow(v) }, writes: [out.loss, out.lse, out.probability, out.correct],
    reads: [logits, targets], params: [['u32', n], ['u32', v]], workgroups: grid(n),
  });
  return out;
}

/** Overwrites the logits, and gives them back. */
export function crossEntropyGradKernel(logits: Tensor, targets: Tensor, lse: Tensor, dloss: Tensor): Tensor {
  const [n, v] = dims2(logits.shape);
  dispatch({
    name: 'cross_entropy_grad', code: gradCode, writes: [], updates: [logits], reads: [targets, lse, dloss],
    params: [['u32', n * v], ['u32', v]], workgroups: grid(Math.ceil((n * v) / ELEMENTWISE)),
  });
  return logits;
}
