/**
 * What a micro-batch adds to the figures of its step: its weighted loss and accuracy. Sums always
 * in the same order.
 */
import { mul, stack, sum } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './step_sums.wgsl?raw';

/** weights, loss, correct [N] -> sums [2]: sum of weights x loss, and of weights x correct. */
export const stepSums = defineOp({
  name: 'step_sums',
  inputs: ['weights', 'loss', 'correct'],
  outputs: ['sums'],
  oracle: ({ weights, loss, correct }, _: object) => {
    const sums = zeros([2]);
    weights.data.forEach((w, i) => {
      sums.data[0] = at(sums, 0) + w * at(loss, i);
      sums.data[1] = at(sums, 1) + w * at(correct, i);
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
  cases: [300, 7, 1].map((n) => ({
    name: `${n} tokens`,
    attrs: {},
    inputs: (r) => ({
      weights: r.values(
        [n],
        Array.from({ length: n }, (_v, i) => (i % 5 === 3 ? 0 : 1 / n)),
      ),
      loss: r.normal([n], 1, 4),
      correct: r.values(
        [n],
        Array.from({ length: n }, (_v, i) => (i % 3 === 0 ? 1 : 0)),
      ),
    }),
  })),
});
