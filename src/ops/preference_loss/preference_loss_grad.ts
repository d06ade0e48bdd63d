/** Gradient of `preference_loss`. */
import { add, div, mul, neg, sigmoid, step, sub, type Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpDefinition } from '../define.ts';
import { at, zeros } from '../host.ts';
import { interleaved } from '../pair_loss/pair_loss.ts';
import { type PreferenceLossAttrs, preferenceSlopeOf } from './losses.ts';
import gradCode from './preference_loss_grad.wgsl?raw';
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

type Attrs = PreferenceLossAttrs;

/** The derivative of the loss by differences [pairs], in tfjs ops. */
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

/** The inputs of `preference_loss` and dy [pairs] -> dnlls [2 pairs]. */
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
