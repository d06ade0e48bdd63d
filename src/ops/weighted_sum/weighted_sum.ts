/**
 * Adds one metric of a micro-batch to the sums of its step. An objective computes a value per token
 * (or per sequence) and names the element of the step's sums that collects it; loss and accuracy of
 * pretraining have an operation of their own (`step_sums`), which takes both in one dispatch.
 */
import { mul, pad, reshape, sum } from '@tensorflow/tfjs-core';
import { dispatch, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpCase } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './weighted_sum.wgsl?raw';

export interface WeightedSumAttrs {
  /** Number of elements of `sums`. */
  size: number;
  /** The element that collects the sum; in [0, size). */
  index: number;
}

type Input = 'weights' | 'x';

const weightedSumCase = (n: number, attrs: WeightedSumAttrs): OpCase<Input, WeightedSumAttrs> => ({
  name: `${n} values to element ${attrs.index} of ${attrs.size}`,
  attrs,
  inputs: (random) => {
    const weights = Array.from({ length: n }, (_, i) => (i % 5 === 3 ? 0 : 1 / n));
    return { weights: random.values([n], weights), x: random.normal([n], 1, 4) };
  },
});

/**
 * weights and x [N] -> sums [size]: the sum of weights * x at `index`, zeros elsewhere. The output
 * accumulates, so that with an existing `sums` only the element at `index` changes. The sum is taken
 * in a fixed order. The operation has no gradient.
 */
export const weightedSum = defineOp({
  name: 'weighted_sum',
  inputs: ['weights', 'x'],
  outputs: ['sums'],
  oracle: ({ weights, x }, { size, index }: WeightedSumAttrs) => {
    const sums = zeros([size]);
    weights.data.forEach((weight, i) => {
      sums.data[index] = at(sums, index) + weight * at(x, i);
    });
    return { sums };
  },
  reference: ({ weights, x }, { size, index }) => ({
    sums: pad(reshape(sum(mul(weights, x)), [1]), [[index, size - index - 1]]),
  }),
  kernel: ({ weights, x }, { size, index }, { sums: into }) => {
    const sums = into ?? output([size]);
    dispatch({
      name: 'weighted_sum',
      code: workgroupSum + code,
      constants: { ADD: into ? 1 : 0, WORKGROUP: 256 },
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['u32', weights.size],
        ['u32', size],
        ['u32', index],
      ],
      workgroups: [1, 1, 1],
    });
    return { sums };
  },
  processor: ({ weights, x }, { size, index }, { sums: into }) => {
    const sums = into ?? output([size]);
    runOnProcessor({
      kernel: 'weighted_sum',
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['i32', weights.size],
        ['i32', size],
        ['i32', index],
        ['i32', into ? 1 : 0],
      ],
    });
    return { sums };
  },
  accumulates: ['sums'],
  gradient: null,
  bench: ({ N }, inputs) => [
    {
      attrs: { size: 2, index: 0 },
      inputs: { weights: inputs.full(1 / N, N), x: inputs.normal(N) },
    },
  ],
  cases: [
    weightedSumCase(300, { size: 4, index: 2 }),
    weightedSumCase(7, { size: 3, index: 0 }),
    weightedSumCase(1, { size: 1, index: 0 }),
    // More elements than threads.
    weightedSumCase(20, { size: 300, index: 299 }),
  ],
});
