/** Dropout on the processor (assembly/dropout.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { dims2 } from '../host.ts';
import { dropout, dropoutAdd, type DropoutAttrs } from './dropout.ts';
import { dropThreshold } from './mask.ts';

/** x [N, d], rng [4] int32 -> dropout(x) [N, d], plus `residual` [N, d] if given. */
function dropoutProcessor(
  x: Tensor,
  rng: Tensor,
  { site, rate, rows_per_sequence }: DropoutAttrs,
  residual?: Tensor,
): Tensor {
  const [n, d] = dims2(x.shape);
  const y = output(x.shape);
  runOnProcessor({
    kernel: 'dropout',
    writes: [y],
    reads: [x, rng, residual],
    params: [
      ['i32', n],
      ['i32', d],
      ['i32', site],
      ['i32', rows_per_sequence],
      ['u32', dropThreshold(rate)],
      ['f32', 1 / (1 - rate)],
    ],
  });
  return y;
}

implement(dropout, ({ x, rng }, attrs) => ({ y: dropoutProcessor(x, rng, attrs) }));
implement(dropoutAdd, ({ x, rng, residual }, attrs) => ({
  y: dropoutProcessor(x, rng, attrs, residual),
}));
