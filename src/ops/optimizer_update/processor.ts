/** Gradient norms, results of a step and updates on the processor (assembly/optimizer.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { adamParams, adamUpdate } from './adam_update.ts';
import { gradNorm, partsOf } from './grad_norm.ts';
import { GROWTH_INTERVAL, scaledStepResults } from './scaled_step_results.ts';
import { sgdUpdate } from './sgd_update.ts';
import { stepResults, sumOfSquares } from './step_results.ts';
import { updateParams } from './update.ts';

/** Partial sums of squares of x, [partsOf(x.size)]. */
function squaresOf(x: Tensor): Tensor {
  const sums = output([partsOf(x.size)]);
  runOnProcessor({
    kernel: 'sum_of_squares',
    writes: [sums],
    reads: [x],
    params: [
      ['i32', x.size],
      ['i32', sums.size],
    ],
  });
  return sums;
}

implement(sumOfSquares, ({ x }) => ({ parts: squaresOf(x) }));

implement(gradNorm, ({ x }) => {
  const sums = squaresOf(x);
  const norm = output([]);
  runOnProcessor({
    kernel: 'norm_of_parts',
    writes: [norm],
    reads: [sums],
    params: [['i32', sums.size]],
  });
  sums.dispose();
  return { norm };
});

implement(stepResults, ({ parts, sums }) => {
  const norm = output([]);
  const results = output([sums.size + 1]);
  runOnProcessor({
    kernel: 'step_results',
    writes: [norm, results],
    updates: [sums],
    reads: [parts],
    params: [
      ['i32', parts.size],
      ['i32', sums.size],
    ],
  });
  return { norm, results, sums };
});

implement(
  scaledStepResults,
  ({ parts, sums, scale, counts, scalars }, { max_scale, beta1, beta2 }) => {
    const norm = output([]);
    const inverse_scale = output([]);
    const results = output([sums.size + 1]);
    runOnProcessor({
      kernel: 'scaled_step_results',
      writes: [norm, inverse_scale, results],
      updates: [sums, scale, counts, scalars],
      reads: [parts],
      params: [
        ['i32', parts.size],
        ['i32', sums.size],
        ['f32', max_scale],
        ['f32', 1 - beta1],
        ['f32', 1 - beta2],
        ['f32', GROWTH_INTERVAL],
      ],
    });
    return { norm, inverse_scale, results, sums, scale, counts, scalars };
  },
);

implement(adamUpdate, (inputs, attrs) => {
  const { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars } = inputs;
  runOnProcessor({
    kernel: 'adam_update',
    writes: [],
    updates: [parameter, gradient, exp_avg, exp_avg_sq],
    reads: [norm, inverse_scale, scalars],
    params: [...updateParams(parameter.size, attrs), ...adamParams(attrs)],
  });
  return { parameter, gradient, exp_avg, exp_avg_sq };
});

implement(sgdUpdate, (inputs, attrs) => {
  const { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars } = inputs;
  runOnProcessor({
    kernel: 'sgd_update',
    writes: [],
    updates: [parameter, gradient, momentum_buffer],
    reads: [norm, inverse_scale, scalars],
    params: [...updateParams(parameter.size, attrs), ['f32', attrs.momentum]],
  });
  return { parameter, gradient, momentum_buffer };
});
