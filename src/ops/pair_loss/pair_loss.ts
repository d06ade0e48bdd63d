/**
 * The loss of preference pairs: -log sigmoid(chosen - rejected), for reward models (Ouyang et al.
 * 2022, equation 1) and DPO (Rafailov et al. 2023, equation 7). Scores alternate: chosen at 2p,
 * rejected at 2p + 1.
 */
import { mul, neg, reshape, sigmoid, slice, softplus, stack, sub } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { type CaseRandom, defineOp, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import code from './pair_loss.wgsl?raw';
import gradCode from './pair_loss_grad.wgsl?raw';

const THREADS = 64;
const PAIR_COUNTS = [70, 1] as const;

/** scores [2 pairs] -> margins [pairs]: chosen minus rejected. */
function marginsOf(scores: Tensor): Tensor {
  const pairs = scores.size / 2;
  const columns = reshape(scores, [pairs, 2]);
  const chosen = slice(columns, [0, 0], [pairs, 1]);
  const rejected = slice(columns, [0, 1], [pairs, 1]);
  return reshape(sub(chosen, rejected), [pairs]);
}

/** margin, dy [pairs] -> dscores [2 pairs]. */
export const pairLossGrad = defineOp({
  name: 'pair_loss_grad',
  inputs: ['margin', 'dy'],
  outputs: ['dscores'],
  oracle: ({ margin, dy }, _: object) => {
    const dscores = zeros([2 * margin.data.length]);
    margin.data.forEach((m, i) => {
      const g = at(dy, i) / (1 + Math.exp(m));
      dscores.data[2 * i] = -g;
      dscores.data[2 * i + 1] = g;
    });
    return { dscores };
  },
  reference: ({ margin, dy }) => {
    const g = mul(dy, sigmoid(neg(margin)));
    return { dscores: reshape(stack([neg(g), g], 1), [2 * margin.size]) };
  },
  kernel: ({ margin, dy }) => {
    const pairs = margin.size;
    const dscores = output([2 * pairs]);
    dispatch({
      name: 'pair_loss_grad',
      code: gradCode,
      writes: [dscores],
      reads: [margin, dy],
      params: [['u32', pairs]],
      workgroups: grid(Math.ceil(pairs / THREADS)),
    });
    return { dscores };
  },
  processor: ({ margin, dy }) => {
    const dscores = output([2 * margin.size]);
    runOnProcessor({
      kernel: 'pair_loss_gradient',
      writes: [dscores],
      reads: [margin, dy],
      params: [['i32', margin.size]],
    });
    return { dscores };
  },
  gradient: null,
  bench: ({ B }, inputs) => [
    { attrs: {}, inputs: { margin: inputs.normal(B), dy: inputs.normal(B) } },
  ],
  cases: PAIR_COUNTS.map((pairs) => ({
    name: `${pairs} pairs`,
    attrs: {},
    inputs: (r: CaseRandom) => ({ margin: r.normal([pairs], 3), dy: r.normal([pairs]) }),
  })),
});

/**
 * scores, 2 pairs of them in any shape -> loss [pairs], nats, and margin [pairs], chosen minus rejected; the margin is
 * a statistic without a gradient.
 */
export const pairLoss = defineOp({
  name: 'pair_loss',
  inputs: ['scores'],
  outputs: ['loss', 'margin'],
  oracle: ({ scores }, _: object) => {
    const pairs = scores.data.length / 2;
    const loss = zeros([pairs]);
    const margin = zeros([pairs]);
    for (let i = 0; i < pairs; i++) {
      const m = at(scores, 2 * i) - at(scores, 2 * i + 1);
      margin.data[i] = m;
      loss.data[i] = Math.max(-m, 0) + Math.log1p(Math.exp(-Math.abs(m)));
    }
    return { loss, margin };
  },
  reference: ({ scores }) => {
    const margin = marginsOf(scores);
    return { loss: softplus(neg(margin)), margin };
  },
  kernel: ({ scores }) => {
    const pairs = scores.size / 2;
    const loss = output([pairs]);
    const margin = output([pairs]);
    dispatch({
      name: 'pair_loss',
      code,
      writes: [loss, margin],
      reads: [scores],
      params: [['u32', pairs]],
      workgroups: grid(Math.ceil(pairs / THREADS)),
    });
    return { loss, margin };
  },
  processor: ({ scores }) => {
    const pairs = scores.size / 2;
    const loss = output([pairs]);
    const margin = output([pairs]);
    runOnProcessor({
      kernel: 'pair_loss',
      writes: [loss, margin],
      reads: [scores],
      params: [['i32', pairs]],
    });
    return { loss, margin };
  },
  gradient: {
    saves: { inputs: [], outputs: ['margin'] },
    from: ['loss'],
    to: {
      scores: ({ inputs: { scores }, outputs: { margin }, dy }) => {
        const { dscores } = run(pairLossGrad, { margin, dy: required(dy.loss) }, {});
        return reshape(dscores, scores.shape);
      },
    },
  },
  bench: ({ B }, inputs) => [{ attrs: {}, inputs: { scores: inputs.normal(2 * B) } }],
  cases: PAIR_COUNTS.map((pairs) => ({
    name: `${pairs} pairs`,
    attrs: {},
    inputs: (r: CaseRandom) => ({ scores: r.normal([2 * pairs], 3) }),
  })),
});
