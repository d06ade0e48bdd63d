/**
 * The loss of direct preference optimization: a function of how much likelier than under the
 * reference the chosen answer has become, compared with the rejected one (losses.ts), plus an SFT
 * term on the chosen answer. Answers alternate: chosen at 2p, rejected at 2p + 1.
 */
import {
  add,
  div,
  maximum,
  mul,
  neg,
  onesLike,
  sigmoid,
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
import { inPairs, interleaved } from '../pair_loss/pair_loss.ts';
import {
  averagesTokens,
  PREFERENCE_LOSSES,
  type PreferenceLossAttrs,
  preferenceLossOf,
  preferenceSlopeOf,
} from './losses.ts';
import code from './preference_loss.wgsl?raw';
import gradCode from './preference_loss_grad.wgsl?raw';
import shared from './shared.wgsl?raw';

/** Rows of `statistics`, by TRL's names. Rewards are beta times the log-ratio to the reference. */
export const PREFERENCE_STATISTICS = [
  'loss',
  'rewards/chosen',
  'rewards/rejected',
  'rewards/margins',
  'rewards/accuracies',
  'logps/chosen',
  'logps/rejected',
] as const;

type In = 'nlls' | 'ref_logps' | 'counts' | 'sft_weights';
type Out = 'loss' | 'statistics';
type Attrs = PreferenceLossAttrs;

const THREADS = 64;

/** Log-ratios of both answers of pair `i` to the reference, and what each is divided by. */
function ratiosOf({ nlls, ref_logps, counts }: Hosts<In>, attrs: Attrs, i: number) {
  const answer = (row: number) => ({
    ratio: -at(nlls, row) - at(ref_logps, row),
    tokens: averagesTokens(attrs) ? Math.max(at(counts, row), 1) : 1,
  });
  return { chosen: answer(2 * i), rejected: answer(2 * i + 1) };
}

function oracle(inputs: Hosts<In>, attrs: Attrs): Hosts<Out> {
  const { nlls, sft_weights } = inputs;
  const pairs = sft_weights.data.length;
  const loss = zeros([pairs]);
  const statistics = zeros([PREFERENCE_STATISTICS.length, pairs]);
  for (let i = 0; i < pairs; i++) {
    const { chosen, rejected } = ratiosOf(inputs, attrs, i);
    const d = chosen.ratio / chosen.tokens - rejected.ratio / rejected.tokens;
    const value = preferenceLossOf(d, attrs) + at(sft_weights, i) * at(nlls, 2 * i);
    loss.data[i] = value;
    const rewards = [attrs.beta * chosen.ratio, attrs.beta * rejected.ratio];
    const margin = attrs.beta * (chosen.ratio - rejected.ratio);
    const accuracy = chosen.ratio > rejected.ratio ? 1 : 0;
    const logps = [-at(nlls, 2 * i), -at(nlls, 2 * i + 1)];
    [value, ...rewards, margin, accuracy, ...logps].forEach((one, row) => {
      statistics.data[row * pairs + i] = one;
    });
  }
  return { loss, statistics };
}

/** The loss of differences [pairs] in tfjs ops. */
function lossOf(d: Tensor, { loss_type, beta, label_smoothing: epsilon }: Attrs): Tensor {
  const x = mul(beta, d);
  switch (loss_type) {
    case 'sigmoid':
    case 'sigmoid_norm':
      return softplus(neg(x));
    case 'hinge':
      return maximum(sub(1, x), 0);
    case 'ipo':
      return square(sub(d, 1 / (2 * beta)));
    case 'robust': {
      const both = sub(mul(1 - epsilon, softplus(neg(x))), mul(epsilon, softplus(x)));
      return div(both, 1 - 2 * epsilon);
    }
    default:
      return loss_type satisfies never;
  }
}

/** Its derivative. */
function slopeOf(d: Tensor, { loss_type, beta, label_smoothing: epsilon }: Attrs): Tensor {
  const x = mul(beta, d);
  switch (loss_type) {
    case 'sigmoid':
    case 'sigmoid_norm':
      return mul(-beta, sigmoid(neg(x)));
    case 'hinge':
      return mul(-beta, step(sub(1, x)));
    case 'ipo':
      return mul(2, sub(d, 1 / (2 * beta)));
    case 'robust': {
      const both = add(mul(1 - epsilon, sigmoid(neg(x))), mul(epsilon, sigmoid(x)));
      return mul(-beta / (1 - 2 * epsilon), both);
    }
    default:
      return loss_type satisfies never;
  }
}

/** Log-ratios [pairs] of both answers, and what they are divided by. */
function ratioTensors({ nlls, ref_logps, counts }: Tensors<In>, attrs: Attrs) {
  const [chosen, rejected] = inPairs(sub(neg(nlls), ref_logps));
  const tokens = averagesTokens(attrs) ? maximum(counts, 1) : onesLike(counts);
  const [chosenTokens, rejectedTokens] = inPairs(tokens);
  const d = sub(div(chosen, chosenTokens), div(rejected, rejectedTokens));
  return { chosen, rejected, chosenTokens, rejectedTokens, d };
}

function reference(inputs: Tensors<In>, attrs: Attrs): Tensors<Out> {
  const { nlls, sft_weights } = inputs;
  const { chosen, rejected, d } = ratioTensors(inputs, attrs);
  const [chosenNll, rejectedNll] = inPairs(nlls);
  const loss = add(lossOf(d, attrs), mul(sft_weights, chosenNll));
  const gap = sub(chosen, rejected);
  const rewards = [chosen, rejected, gap].map((ratio) => mul(attrs.beta, ratio));
  const logps = [neg(chosenNll), neg(rejectedNll)];
  return { loss, statistics: stack([loss, ...rewards, step(gap), ...logps]) };
}

const parametersOf = (integer: 'u32' | 'i32', pairs: number, attrs: Attrs): Param[] => [
  [integer, pairs],
  [integer, PREFERENCE_LOSSES.indexOf(attrs.loss_type)],
  ['f32', attrs.beta],
  ['f32', attrs.label_smoothing],
];

function kernel(inputs: Tensors<In>, attrs: Attrs): Tensors<Out> {
  const { nlls, ref_logps, counts, sft_weights } = inputs;
  const pairs = sft_weights.size;
  const loss = output([pairs]);
  const statistics = output([PREFERENCE_STATISTICS.length, pairs]);
  dispatch({
    name: 'preference_loss',
    code: shared + code,
    writes: [loss, statistics],
    reads: [nlls, ref_logps, counts, sft_weights],
    params: parametersOf('u32', pairs, attrs),
    workgroups: grid(Math.ceil(pairs / THREADS)),
  });
  return { loss, statistics };
}

function onProcessor(inputs: Tensors<In>, attrs: Attrs): Tensors<Out> {
  const { nlls, ref_logps, counts, sft_weights } = inputs;
  const pairs = sft_weights.size;
  const loss = output([pairs]);
  const statistics = output([PREFERENCE_STATISTICS.length, pairs]);
  runOnProcessor({
    kernel: 'preference_loss',
    writes: [loss, statistics],
    reads: [nlls, ref_logps, counts, sft_weights],
    params: parametersOf('i32', pairs, attrs),
  });
  return { loss, statistics };
}

const CASES: readonly (Attrs & { pairs: number })[] = [
  ...PREFERENCE_LOSSES.map((loss_type) => ({
    loss_type,
    beta: loss_type === 'sigmoid_norm' ? 2 : 0.3,
    label_smoothing: 0.1,
    pairs: 9,
  })),
  { loss_type: 'sigmoid', beta: 0.1, label_smoothing: 0, pairs: 70 },
];

const nameOf = ({ loss_type, pairs }: Attrs & { pairs: number }): string =>
  `${loss_type}, ${pairs} pairs`;

function inputsOf(random: CaseRandom, pairs: number): Hosts<In> {
  const rows = [2 * pairs];
  // The first answer is empty, as in the padding of an evaluation.
  const counts = Array.from({ length: 2 * pairs }, (_, i) => (5 * i) % 7);
  return {
    nlls: random.normal(rows, 4, 20),
    ref_logps: random.normal(rows, 4, -20),
    counts: random.values(rows, counts),
    sft_weights: random.normal([pairs], 0.05, 0.1),
  };
}

/**
 * nlls (sums over an answer's tokens of -log p), ref_logps (sums of log p under the reference) and
 * counts (tokens) [2 pairs], sft_weights [pairs] (weight of the chosen answer's nll) -> loss [pairs]
 * and statistics [7, pairs] without a gradient (PREFERENCE_STATISTICS).
 */
export const preferenceLoss: OpDefinition<In, Attrs, Out, 'nlls'> = defineOp({
  name: 'preference_loss',
  inputs: ['nlls', 'ref_logps', 'counts', 'sft_weights'],
  outputs: ['loss', 'statistics'],
  oracle,
  reference,
  kernel,
  processor: onProcessor,
  gradient: {
    saves: { inputs: ['nlls', 'ref_logps', 'counts', 'sft_weights'], outputs: [] },
    from: ['loss'],
    to: {
      nlls: ({ inputs, attrs, dy }) =>
        run(preferenceLossGrad, { ...inputs, dy: required(dy.loss) }, attrs).dnlls,
    },
  },
  bench: ({ B }, inputs) => [
    {
      attrs: { loss_type: 'sigmoid', beta: 0.1, label_smoothing: 0 },
      inputs: {
        nlls: inputs.normal(2 * B),
        ref_logps: inputs.normal(2 * B),
        counts: inputs.full(8, 2 * B),
        sft_weights: inputs.full(0, B),
      },
    },
  ],
  cases: CASES.map((one) => ({
    name: nameOf(one),
    attrs: one,
    inputs: (random) => inputsOf(random, one.pairs),
  })),
});

/** Gradient of `preference_loss`: dy [pairs] -> dnlls [2 pairs]. */
export const preferenceLossGrad: OpDefinition<In | 'dy', Attrs, 'dnlls', never> = defineOp({
  name: 'preference_loss_grad',
  inputs: ['nlls', 'ref_logps', 'counts', 'sft_weights', 'dy'],
  outputs: ['dnlls'],
  oracle: ({ dy, ...inputs }, attrs: Attrs) => {
    const pairs = dy.data.length;
    const dnlls = zeros([2 * pairs]);
    for (let i = 0; i < pairs; i++) {
      const { chosen, rejected } = ratiosOf(inputs, attrs, i);
      const d = chosen.ratio / chosen.tokens - rejected.ratio / rejected.tokens;
      const slope = preferenceSlopeOf(d, attrs);
      const sft = at(inputs.sft_weights, i);
      dnlls.data[2 * i] = at(dy, i) * (sft - slope / chosen.tokens);
      dnlls.data[2 * i + 1] = (at(dy, i) * slope) / rejected.tokens;
    }
    return { dnlls };
  },
  reference: ({ dy, ...inputs }, attrs) => {
    const { chosenTokens, rejectedTokens, d } = ratioTensors(inputs, attrs);
    const slope = slopeOf(d, attrs);
    const chosen = mul(dy, sub(inputs.sft_weights, div(slope, chosenTokens)));
    return { dnlls: interleaved(chosen, div(mul(dy, slope), rejectedTokens)) };
  },
  kernel: ({ nlls, ref_logps, counts, sft_weights, dy }, attrs) => {
    const dnlls = output([2 * dy.size]);
    dispatch({
      name: 'preference_loss_grad',
      code: shared + gradCode,
      writes: [dnlls],
      reads: [nlls, ref_logps, counts, sft_weights, dy],
      params: parametersOf('u32', dy.size, attrs),
      workgroups: grid(Math.ceil(dy.size / THREADS)),
    });
    return { dnlls };
  },
  processor: ({ nlls, ref_logps, counts, sft_weights, dy }, attrs) => {
    const dnlls = output([2 * dy.size]);
    runOnProcessor({
      kernel: 'preference_loss_gradient',
      writes: [dnlls],
      reads: [nlls, ref_logps, counts, sft_weights, dy],
      params: parametersOf('i32', dy.size, attrs),
    });
    return { dnlls };
  },
  gradient: null,
  bench: ({ B }, inputs) => [
    {
      attrs: { loss_type: 'sigmoid', beta: 0.1, label_smoothing: 0 },
      inputs: {
        nlls: inputs.normal(2 * B),
        ref_logps: inputs.normal(2 * B),
        counts: inputs.full(8, 2 * B),
        sft_weights: inputs.full(0, B),
        dy: inputs.normal(B),
      },
    },
  ],
  cases: CASES.map((one) => ({
    name: nameOf(one),
    attrs: one,
    inputs: (random) => ({ ...inputsOf(random, one.pairs), dy: random.normal([one.pairs]) }),
  })),
});
