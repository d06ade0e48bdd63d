/** Dropout on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, mapUnit, random, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './dropout.wgsl?raw';
import { dropThreshold } from './mask.ts';

/** WGSL: the random bits of each column of a unit. */
const drawsCode = (width: Width): string => `
fn draws(row: u32, columns: Columns) -> Columns {
  return ${mapUnit(width, 'columns', (column) => `stir(row, ${column})`)};
}`;

/** x [N, d], rng [4] int32 -> dropout(x) [N, d], plus `residual` [N, d] if given. */
export function dropoutKernel(
  x: Tensor,
  rng: Tensor,
  { site, rate, rows_per_sequence }: { site: number; rate: number; rows_per_sequence: number },
  residual?: Tensor,
): Tensor {
  const [, d] = dims2(x.shape);
  const width = widthOf(d);
  const size = x.size / width;
  const y = activation(x.shape);
  // The binding of the residual is declared in any case; without one, it is bound to x and not read.
  const added = residual ?? x;
  dispatch({
    name: 'dropout',
    code: random + unitCode(width, { y, x, residual: added }) + drawsCode(width) + code,
    constants: { ADD: residual ? 1 : 0 },
    writes: [y],
    reads: [x, rng, added],
    params: [
      ['u32', size],
      ['u32', d / width],
      ['u32', site],
      ['u32', rows_per_sequence],
      ['u32', dropThreshold(rate)],
      ['f32', 1 / (1 - rate)],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}
