/**
 * A micro-batch's contribution to the sums of its step: weighted loss and weighted accuracy, in one
 * dispatch and in a fixed order. An objective adds further metrics with `weighted_sum`.
 */
import { mul, stack, sum } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './step_sums.wgsl?raw';

/**
 * weights, loss and correct [N] -> sums [2]: the sums of weights * loss and of weights * correct.
 * The output accumulates.
 */
export const stepSums = defineOp({
  name: 'step_sums',
  inputs: ['weights', 'loss', 'correct'],
  outputs: ['sums'],
  oracle: ({ weights, loss, correct }, _: object) => {
    const sums = zeros([2]);
    weights.data.forEach((weight, i) => {
      sums.data[0] = at(sums, 0) + weight * at(loss, i);
      sums.data[1] = at(sums, 1) + weight * at(correct, i);
    });
    return { sums };
  },
  reference: ({ weights, loss, correct }) => ({
    sums: stack([sum(mul(weights, loss)), sum(mul(weights, correct))]),
  }),
  kernel: ({ weights, loss, correct }, _, { sums: into }) => {
    const sums = into ?? output([2]);
    dispatch({
      name: 'step_sums',
      code: workgroupSum + code,
      constants: { ADD: into ? 1 : 0, WORKGROUP: 256 },
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, loss, correct],
      params: [['u32', weights.size]],
      workgroups: [1, 1, 1],
    });
    return { sums };
  },
  accumulates: ['sums'],
  gradient: null,
  bench: ({ N }, inputs) => [
    {
      attrs: {},
      inputs: {
        weights: inputs.full(1 / N, N),
        loss: inputs.normal(N),
        correct: inputs.full(1, N),
      },
    },
  ],
  cases: [300, 7, 1].map((n) => ({
    name: `${n} tokens`,
    attrs: {},
    inputs: (random) => {
      // Some tokens are masked, and a third is predicted correctly.
      const weights = Array.from({ length: n }, (_, i) => (i % 5 === 3 ? 0 : 1 / n));
      const correct = Array.from({ length: n }, (_, i) => (i % 3 === 0 ? 1 : 0));
      return {
        weights: random.values([n], weights),
        loss: random.normal([n], 1, 4),
        correct: random.values([n], correct),
      };
    },
  })),
});
