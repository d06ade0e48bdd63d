/** Dropout on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, random, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './dropout.wgsl?raw';
import { dropThreshold } from './mask.ts';

const DRAWS: Record<Width, string> = {
  1: 'fn draws(row: u32, c: Columns) -> Columns { return stir(row, c); }',
  4: 'fn draws(row: u32, c: Columns) -> Columns { return vec4u(stir(row, c.x), stir(row, c.y), stir(row, c.z), stir(row, c.w)); }',
};

export function dropoutKernel(
  x: Tensor,
  rng: Tensor,
  a: { site: number; rate: number; rows_per_sequence: number },
  residual?: Tensor,
): Tensor {
  const [, d] = dims2(x.shape);
  const width = widthOf(d);
  const size = x.size / width;
  const y = activation(x.shape);
  dispatch({
    name: 'dropout',
    code: random + unitCode(width, { y, x, residual: residual ?? x }) + DRAWS[width] + code,
    constants: { ADD: residual ? 1 : 0 },
    writes: [y],
    reads: [x, rng, residual ?? x],
    params: [
      ['u32', size],
      ['u32', d / width],
      ['u32', a.site],
      ['u32', a.rows_per_sequence],
      ['u32', dropThreshold(a.rate)],
      ['f32', 1 / (1 - a.rate)],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}
