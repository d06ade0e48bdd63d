/** The embedding and its gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { columnLanes, ELEMENTWISE, LANE_COLUMNS } from '../wgsl/index.ts';
import code from './embedding.wgsl?raw';
import gradCode from './embedding_grad.wgsl?raw';

/** A row of the table for each id, plus a row of a second table for its position where there is one. */
export function embeddingKernel(weight: Tensor, ids: Tensor, places?: { weight: Tensor; positions: Tensor }): Tensor {
  const [, d] = dims2(weight.shape), y = output([ids.size, d]);
  dispatch({
    name: 'embedding', code, constants: { POSITIONS: places ? 1 : 0 }, writes: [y], reads: [weight, ids, places?.weight ?? weight, places?.positions ?? ids],
    params: [['u32', y.size], ['u32', d]], workgroups: grid(Math.ceil(y.size / ELEMENTWISE)),
  });
  return y;
}

/** Workgroups from which on there are enough of them, and each goes through all columns of its id. */
const ENOUGH = 2048;

export function embeddingGradKernel(dy: Tensor, sorted: Tensor, starts: Tensor, into: Tensor | undefined): Tensor {
  const [, d] = dims2(dy.shape), vocab_size = starts.size - 1, weight = into ?? output([vocab_size, d]), [x, y] = grid(vocab_size);
  dispatch({
    name: 'embedding_grad', code: columnLanes + gradCode, constants: { ADD: into ? 1 : 0 }, writes: into ? [] : [weight], updates: into ? [into] : [],
    reads: [dy, sorted, starts], params: [['u32', vocab_size], ['u32', d]], workgroups: [x, y, vocab_size < ENOUGH ? Math.ceil(d / LANE_COLUMNS) : 1],
  });
  return weight;
}
