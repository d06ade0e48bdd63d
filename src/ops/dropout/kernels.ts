/** Dropout on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, random } from '../wgsl/index.ts';
import code from './dropout.wgsl?raw';
import { dropThreshold } from './mask.ts';

export function dropoutKernel(x: Tensor, rng: Tensor, a: { site: number; rate: number; rows_per_sequence: number }, residual?: Tensor): Tensor {
  const [, d] = dims2(x.shape), y = output(x.shape);
  dispatch({
    name: 'dropout', code: random + code, constants: { ADD: residual ? 1 : 0 }, writes: [y], reads: [x, rng, residual ?? x],
    params: [['u32', x.size], ['u32', d], ['u32', a.site], ['u32', a.rows_per_sequence], ['u32', dropThreshold(a.rate)], ['f32', 1 / (1 - a.rate)]],
    workgroups: grid(Math.ceil(x.size / ELEMENTWISE)),
  });
  return y;
}
