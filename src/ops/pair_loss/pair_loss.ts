/**
 * The loss of a reward model's pairs: -log sigmoid(chosen - rejected - margin) (Ouyang et al. 2022,
 * equation 1; Touvron et al. 2023 for the margin), plus a penalty on scores away from 0 (Eisenstein
 * et al. 2023). Scores alternate: chosen at 2p, rejected at 2p + 1.
 */
import {
  add,
  concat,
  fill,
  max,
  min,
  mul,
  neg,
  reshape,
  sigmoid,
  slice,
  softplus,
  square,
  stack,
  step,
  sub,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { dispatch, grid, output, type Param, runOnProcessor } from '../../backend/index.ts';
import {
  type CaseRandom,
  defineOp,
  type Hosts,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import code from './pair_loss.wgsl?raw';
import gradCode from './pair_loss_grad.wgsl?raw';

export interface PairLossAttrs {
  /** Factor of (chosen + rejected)^2; 0 means none. */
  center_rewards_coefficient: number;
}

/** Columns of `statistics`; the last two have the extremes of all scores at every pair. */
export const PAIR_STATISTICS = [
  'loss',
  'accuracy',
  'margin',
  'mean_reward',
  'min_reward',
  'max_reward',
] as const;

type In = 'scores' | 'margins';
type Out = 'loss' | 'statistics';

const THREADS = 64;

/** log(1 + e^x) without overflow. */
export const softplusOf = (x: number): number =>
  Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The values at even and at odd indices of [2 pairs], [pairs] each. */
export function inPairs(values: Tensor): [chosen: Tensor, rejected: Tensor] {
  const pairs = values.size / 2;
  const columns = reshape(values, [pairs, 2]);
  const column = (index: number): Tensor =>
    reshape(slice(columns, [0, index], [pairs, 1]), [pairs]);
  return [column(0), column(1)];
}

function oracle({ scores, margins }: Hosts<In>, attrs: PairLossAttrs): Hosts<Out> {
  const pairs = margins.data.length;
  const loss = zeros([pairs]);
  const statistics = zeros([pairs, PAIR_STATISTICS.length]);
  const least = Math.min(...scores.data);
  const greatest = Math.max(...scores.data);
  for (let i = 0; i < pairs; i++) {
    const chosen = at(scores, 2 * i);
    const rejected = at(scores, 2 * i + 1);
    const total = chosen + rejected;
    const value =
      softplusOf(at(margins, i) - (chosen - rejected)) +
      attrs.center_rewards_coefficient * total ** 2;
    loss.data[i] = value;
    const accuracy = chosen > rejected ? 1 : 0;
    [value, accuracy, chosen - rejected, total / 2, least, greatest].forEach((one, column) => {
      statistics.data[i * PAIR_STATISTICS.length + column] = one;
    });
  }
  return { loss, statistics };
}

function reference({ scores, margins }: Tensors<In>, attrs: PairLossAttrs): Tensors<Out> {
  const pairs = margins.size;
  const [chosen, rejected] = inPairs(scores);
  const gap = sub(chosen, rejected);
  const total = add(chosen, rejected);
  const penalty = mul(attrs.center_rewards_coefficient, square(total));
  const loss = add(softplus(sub(margins, gap)), penalty);
  const everywhere = (value: Tensor): Tensor => mul(value, fill([pairs], 1));
  const columns = [loss, step(gap), gap, mul(0.5, total), min(scores), max(scores)];
  return {
    loss,
    statistics: stack(
      columns.map((one) => (one.rank === 0 ? everywhere(one) : one)),
      1,
    ),
  };
}

const parametersOf = (count: 'u32' | 'i32', pairs: number, attrs: PairLossAttrs): Param[] => [
  [count, pairs],
  ['f32', attrs.center_rewards_coefficient],
];

function kernel({ scores, margins }: Tensors<In>, attrs: PairLossAttrs): Tensors<Out> {
  const pairs = margins.size;
  const loss = output([pairs]);
  const statistics = output([pairs, PAIR_STATISTICS.length]);
  dispatch({
    name: 'pair_loss',
    code,
    writes: [loss, statistics],
    reads: [scores, margins],
    params: parametersOf('u32', pairs, attrs),
    workgroups: grid(Math.ceil(pairs / THREADS)),
  });
  return { loss, statistics };
}

function onProcessor({ scores, margins }: Tensors<In>, attrs: PairLossAttrs): Tensors<Out> {
  const pairs = margins.size;
  const loss = output([pairs]);
  const statistics = output([pairs, PAIR_STATISTICS.length]);
  runOnProcessor({
    kernel: 'pair_loss',
    writes: [loss, statistics],
    reads: [scores, margins],
    params: parametersOf('i32', pairs, attrs),
  });
  return { loss, statistics };
}

const CASES = [
  { pairs: 70, center_rewards_coefficient: 0 },
  { pairs: 70, center_rewards_coefficient: 0.01 },
  { pairs: 1, center_rewards_coefficient: 0.1 },
];

/**
 * scores, 2 pairs of them in any shape, and margins [pairs] -> loss [pairs], nats, and statistics
 * [pairs, 6] without a gradient (PAIR_STATISTICS).
 */
export const pairLoss: OpDefinition<In, PairLossAttrs, Out, 'scores'> = defineOp({
  name: 'pair_loss',
  inputs: ['scores', 'margins'],
  outputs: ['loss', 'statistics'],
  oracle,
  reference,
  kernel,
  processor: onProcessor,
  gradient: {
    saves: { inputs: ['scores', 'margins'], outputs: [] },
    from: ['loss'],
    to: {
      scores: ({ inputs: { scores, margins }, attrs, dy }) => {
        const inputs = { scores, margins, dy: required(dy.loss) };
        return reshape(run(pairLossGrad, inputs, attrs).dscores, scores.shape);
      },
    },
  },
  bench: ({ B }, inputs) => [
    {
      attrs: { center_rewards_coefficient: 0 },
      inputs: { scores: inputs.normal(2 * B), margins: inputs.full(0, B) },
    },
  ],
  cases: CASES.map(({ pairs, ...attrs }) => ({
    name: `${pairs} pairs, centring ${attrs.center_rewards_coefficient}`,
    attrs,
    inputs: (r: CaseRandom) => ({ scores: r.normal([2 * pairs], 3), margins: r.normal([pairs]) }),
  })),
});

/** scores [2 pairs], margins and dy [pairs] -> dscores [2 pairs]. */
export const pairLossGrad: OpDefinition<In | 'dy', PairLossAttrs, 'dscores', never> = defineOp({
  name: 'pair_loss_grad',
  inputs: ['scores', 'margins', 'dy'],
  outputs: ['dscores'],
  oracle: ({ scores, margins, dy }, { center_rewards_coefficient }: PairLossAttrs) => {
    const dscores = zeros([2 * margins.data.length]);
    margins.data.forEach((margin, i) => {
      const chosen = at(scores, 2 * i);
      const rejected = at(scores, 2 * i + 1);
      const slope = 1 / (1 + Math.exp(chosen - rejected - margin));
      const pull = 2 * center_rewards_coefficient * (chosen + rejected);
      dscores.data[2 * i] = at(dy, i) * (pull - slope);
      dscores.data[2 * i + 1] = at(dy, i) * (pull + slope);
    });
    return { dscores };
  },
  reference: ({ scores, margins, dy }, { center_rewards_coefficient }) => {
    const [chosen, rejected] = inPairs(scores);
    const slope = mul(dy, sigmoid(sub(margins, sub(chosen, rejected))));
    const pull = mul(mul(2 * center_rewards_coefficient, dy), add(chosen, rejected));
    return { dscores: interleaved(add(pull, neg(slope)), add(pull, slope)) };
  },
  kernel: ({ scores, margins, dy }, attrs) => {
    const pairs = margins.size;
    const dscores = output([2 * pairs]);
    dispatch({
      name: 'pair_loss_grad',
      code: gradCode,
      writes: [dscores],
      reads: [scores, margins, dy],
      params: parametersOf('u32', pairs, attrs),
      workgroups: grid(Math.ceil(pairs / THREADS)),
    });
    return { dscores };
  },
  processor: ({ scores, margins, dy }, attrs) => {
    const dscores = output([2 * margins.size]);
    runOnProcessor({
      kernel: 'pair_loss_gradient',
      writes: [dscores],
      reads: [scores, margins, dy],
      params: parametersOf('i32', margins.size, attrs),
    });
    return { dscores };
  },
  gradient: null,
  bench: ({ B }, inputs) => [
    {
      attrs: { center_rewards_coefficient: 0 },
      inputs: { scores: inputs.normal(2 * B), margins: inputs.full(0, B), dy: inputs.normal(B) },
    },
  ],
  cases: CASES.map(({ pairs, ...attrs }) => ({
    name: `${pairs} pairs, centring ${attrs.center_rewards_coefficient}`,
    attrs,
    inputs: (r: CaseRandom) => ({
      scores: r.normal([2 * pairs], 3),
      margins: r.normal([pairs]),
      dy: r.normal([pairs]),
    }),
  })),
});

/** Two tensors [pairs] in turn: [2 pairs]. */
export function interleaved(even: Tensor, odd: Tensor): Tensor {
  const column = (values: Tensor): Tensor => reshape(values, [values.size, 1]);
  return reshape(concat([column(even), column(odd)], 1), [2 * even.size]);
}
