/** Cross-entropy and its gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, threadsForRow, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './cross_entropy.wgsl?raw';
import gradCode from './cross_entropy_grad.wgsl?raw';

/** Over the values of a unit: the largest, and where that stands first; and the logit of a column of the row that starts there. */
const OVER_UNIT: Record<Width, string> = {
  1: `
fn largest_of(v: Unit) -> f32 { return v; }
fn first_equal(v: Unit, x: f32) -> u32 { return 0u; }
fn logit_at(start: u32, column: u32) -> f32 { return logits[start + column]; }`,
  4: `
fn largest_of(v: Unit) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn first_equal(v: Unit, x: f32) -> u32 { return select(select(select(3u, 2u, v.z == x), 1u, v.y == x), 0u, v.x == x); }
fn logit_at(start: u32, column: u32) -> f32 { return get_logits(logits[start + column / 4u])[column % 4u]; }`,
};

export function crossEntropyKernel(logits: Tensor, targets: Tensor): Record<'loss' | 'lse' | 'probability' | 'correct', Tensor> {
  const [n, v] = dims2(logits.shape), width = widthOf(v), out = { loss: output([n]), lse: output([n]), probability: output([n]), correct: output([n]) };
  dispatch({
    name: 'cross_entropy', code: unitCode(width, { logits }) + OVER_UNIT[width] + code, constants: { WORKGROUP: threadsForRow(v) }, writes: [out.loss, out.lse, out.probability, out.correct],
    reads: [logits, targets], params: [['u32', n], ['u32', v], ['u32', v / width]], workgroups: grid(n),
  });
  return out;
}

/** Overwrites the logits, and gives them back. */
export function crossEntropyGradKernel(logits: Tensor, targets: Tensor, lse: Tensor, dloss: Tensor): Tensor {
  const [n, v] = dims2(logits.shape), width = widthOf(v), size = (n * v) / width;
  dispatch({
    name: 'cross_entropy_grad', code: unitCode(width, { logits }) + gradCode, writes: [], updates: [logits], reads: [targets, lse, dloss],
    params: [['u32', size], ['u32', v / width]], workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return logits;
}
