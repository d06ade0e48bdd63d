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
  softplus,
  square,
  stack,
  step,
  sub,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpDefinition, run, type Tensors } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { inPairs } from '../pair_loss/pair_loss.ts';
import { type PreferenceLossAttrs, preferenceLossOf } from './losses.ts';
import code from './preference_loss.wgsl?raw';
import { preferenceLossGrad } from './preference_loss_grad.ts';
import {
  CASES,
  type In,
  inputsOf,
  nameOf,
  parametersOf,
  ratiosOf,
  ratioTensors,
  THREADS,
} from './shared.ts';
import shared from './shared.wgsl?raw';

/** Columns of `statistics`, by TRL's names. Rewards are beta times the log-ratio to the reference. */
export const PREFERENCE_STATISTICS = [
  'loss',
  'rewards/chosen',
  'rewards/rejected',
  'rewards/margins',
  'rewards/accuracies',
  'logps/chosen',
  'logps/rejected',
] as const;

type Out = 'loss' | 'statistics';
type Attrs = PreferenceLossAttrs;

function oracle(inputs: Hosts<In>, attrs: Attrs): Hosts<Out> {
  const { nlls, sft_weights } = inputs;
  const pairs = sft_weights.data.length;
  const loss = zeros([pairs]);
  const statistics = zeros([pairs, PREFERENCE_STATISTICS.length]);
  for (let i = 0; i < pairs; i++) {
    const { chosen, rejected } = ratiosOf(inputs, attrs, i);
    const d = chosen.ratio / chosen.tokens - rejected.ratio / rejected.tokens;
    const value = preferenceLossOf(d, attrs) + at(sft_weights, i) * at(nlls, 2 * i);
    loss.data[i] = value;
    const rewards = [attrs.beta * chosen.ratio, attrs.beta * rejected.ratio];
    const margin = attrs.beta * (chosen.ratio - rejected.ratio);
    const accuracy = chosen.ratio > rejected.ratio ? 1 : 0;
    const logps = [-at(nlls, 2 * i), -at(nlls, 2 * i + 1)];
    [value, ...rewards, margin, accuracy, ...logps].forEach((one, column) => {
      statistics.data[i * PREFERENCE_STATISTICS.length + column] = one;
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

function reference(inputs: Tensors<In>, attrs: Attrs): Tensors<Out> {
  const { nlls, sft_weights } = inputs;
  const { chosen, rejected, d } = ratioTensors(inputs, attrs);
  const [chosenNll, rejectedNll] = inPairs(nlls);
  const loss = add(lossOf(d, attrs), mul(sft_weights, chosenNll));
  const gap = sub(chosen, rejected);
  const rewards = [chosen, rejected, gap].map((ratio) => mul(attrs.beta, ratio));
  const logps = [neg(chosenNll), neg(rejectedNll)];
  return { loss, statistics: stack([loss, ...rewards, step(gap), ...logps], 1) };
}

function kernel(inputs: Tensors<In>, attrs: Attrs): Tensors<Out> {
  const { nlls, ref_logps, counts, sft_weights } = inputs;
  const pairs = sft_weights.size;
  const loss = output([pairs]);
  const statistics = output([pairs, PREFERENCE_STATISTICS.length]);
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
  const statistics = output([pairs, PREFERENCE_STATISTICS.length]);
  runOnProcessor({
    kernel: 'preference_loss',
    writes: [loss, statistics],
    reads: [nlls, ref_logps, counts, sft_weights],
    params: parametersOf('i32', pairs, attrs),
  });
  return { loss, statistics };
}

/**
 * nlls (sums over an answer's tokens of -log p), ref_logps (sums of log p under the reference) and
 * counts (tokens) [2 pairs], sft_weights [pairs] (weight of the chosen answer's nll) -> loss [pairs]
 * and statistics [pairs, 7] without a gradient (PREFERENCE_STATISTICS).
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
