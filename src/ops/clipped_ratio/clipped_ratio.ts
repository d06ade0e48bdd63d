/**
 * The clipped objective of PPO (Schulman et al. 2017, equation 7) per token, and the KL term of GRPO
 * (Shao et al. 2024, equations 3 and 4) beside it.
 */
import {
  add,
  clipByValue,
  equal,
  exp,
  greater,
  less,
  logicalAnd,
  maximum,
  mul,
  neg,
  onesLike,
  square,
  stack,
  sub,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { dispatch, grid, output, type Param, runOnProcessor } from '../../backend/index.ts';
import {
  type BenchInput,
  type BenchInputs,
  type CaseRandom,
  defineOp,
  type Hosts,
  type HostTensor,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { ELEMENTWISE } from '../wgsl/index.ts';
import wgsl from './clipped_ratio.wgsl?raw';
import gradWgsl from './clipped_ratio_grad.wgsl?raw';

export interface ClippedRatioAttrs {
  /** Ratios are clipped to 1 - epsilon ... 1 + epsilon_high. */
  epsilon: number;
  epsilon_high: number;
  /** Factor of the KL term. */
  beta: number;
}
type Policy = 'nll' | 'old_logps' | 'ref_logps' | 'advantages';
type In = Policy | 'weights';
type Out = 'loss' | 'statistics';

/**
 * Columns of `statistics`: whether the ratio left its range below or above so that the token has no
 * gradient (1 or 0), the ratio, and half the square of logp - old, an estimate of the KL divergence
 * from the old policy (TRL's `approxkl`).
 */
export const RATIO_STATISTICS = ['low', 'high', 'ratio', 'approx_kl'] as const;
const COLUMNS = RATIO_STATISTICS.length;

function oracle(inputs: Hosts<In>, { epsilon, epsilon_high, beta }: ClippedRatioAttrs): Hosts<Out> {
  const n = inputs.nll.data.length;
  const loss = zeros([n]);
  const statistics = zeros([n, COLUMNS]);
  for (let i = 0; i < n; i++) {
    if (at(inputs.weights, i) === 0) continue;
    const logp = -at(inputs.nll, i);
    const advantage = at(inputs.advantages, i);
    const difference = logp - at(inputs.old_logps, i);
    const ratio = Math.exp(difference);
    const clipped = Math.min(Math.max(ratio, 1 - epsilon), 1 + epsilon_high);
    const toReference = at(inputs.ref_logps, i) - logp;
    const kl = beta === 0 ? 0 : Math.exp(toReference) - 1 - toReference;
    loss.data[i] = -Math.min(ratio * advantage, clipped * advantage) + beta * kl;
    const low = ratio < 1 - epsilon && advantage < 0 ? 1 : 0;
    const high = ratio > 1 + epsilon_high && advantage > 0 ? 1 : 0;
    statistics.data.set([low, high, ratio, 0.5 * difference ** 2], i * COLUMNS);
  }
  return { loss, statistics };
}

function reference(inputs: Tensors<In>, attrs: ClippedRatioAttrs): Tensors<Out> {
  const { nll, old_logps, ref_logps, advantages, weights } = inputs;
  const { epsilon, epsilon_high, beta } = attrs;
  const none = zerosLike(nll);
  const counted = (x: Tensor): Tensor => where(equal(weights, 0), none, x);
  const logp = neg(nll);
  const difference = sub(logp, old_logps);
  const ratio = exp(difference);
  const clipped = clipByValue(ratio, 1 - epsilon, 1 + epsilon_high);
  const policy = maximum(neg(mul(ratio, advantages)), neg(mul(clipped, advantages)));
  const toReference = sub(ref_logps, logp);
  const kl = beta === 0 ? none : sub(sub(exp(toReference), 1), toReference);
  const low = logicalAnd(less(ratio, 1 - epsilon), less(advantages, 0));
  const high = logicalAnd(greater(ratio, 1 + epsilon_high), greater(advantages, 0));
  const share = (is: Tensor): Tensor => counted(where(is, onesLike(nll), none));
  const columns = [share(low), share(high), counted(ratio), counted(mul(0.5, square(difference)))];
  return { loss: counted(add(policy, mul(beta, kl))), statistics: stack(columns, 1) };
}

const limits = ({ epsilon, epsilon_high, beta }: ClippedRatioAttrs): Param[] => [
  ['f32', 1 - epsilon],
  ['f32', 1 + epsilon_high],
  ['f32', beta],
];

const policyOf = ({ nll, old_logps, ref_logps, advantages }: Tensors<Policy>): Tensor[] => [
  nll,
  old_logps,
  ref_logps,
  advantages,
];

interface CaseSize {
  n: number;
  std: number;
  attrs: ClippedRatioAttrs;
}

const CASES: Record<string, CaseSize> = {
  'ratios near 1, some clipped': {
    n: 300,
    std: 0.2,
    attrs: { epsilon: 0.2, epsilon_high: 0.28, beta: 0 },
  },
  'with a KL term': { n: 37, std: 0.5, attrs: { epsilon: 0.2, epsilon_high: 0.2, beta: 0.1 } },
  'one token': { n: 1, std: 0.1, attrs: { epsilon: 0.1, epsilon_high: 0.3, beta: 0.04 } },
};

/** Log-probabilities that differ from the policy's by numbers of this standard deviation. */
function policyInputs(random: CaseRandom, { n, std }: CaseSize): Hosts<Policy> {
  const nll = random.normal([n], 0.5, 2);
  const near = (): HostTensor => {
    const noise = random.normal([n], std);
    return random.values(
      [n],
      Array.from(noise.data, (x, i) => x - at(nll, i)),
    );
  };
  return { nll, old_logps: near(), ref_logps: near(), advantages: random.normal([n]) };
}

const benchPolicy = (n: number, inputs: BenchInputs): Record<Policy, BenchInput> => ({
  nll: inputs.full(2, n),
  old_logps: inputs.full(-2.1, n),
  ref_logps: inputs.full(-1.9, n),
  advantages: inputs.normal(n),
});

/** Every third token is masked. */
const maskOf = (random: CaseRandom, n: number): HostTensor =>
  random.values(
    [n],
    Array.from({ length: n }, (_, i) => (i % 3 === 1 ? 0 : 1 / n)),
  );

/**
 * nll (negative log-probabilities of the policy, as `cross_entropy` gives them), old_logps,
 * ref_logps, advantages and weights [n] -> loss [n] = -min(ratio A, clip(ratio) A) + beta k3, where
 * ratio = e^(logp - old) and k3 = e^(ref - logp) - 1 - (ref - logp), and statistics [n, 4] without
 * a gradient. A token of weight 0 gives zeros, whatever its values. With a beta of 0 there is no
 * reference, and ref_logps are not read.
 */
export const clippedRatio: OpDefinition<In, ClippedRatioAttrs, Out, 'nll'> = defineOp({
  name: 'clipped_ratio',
  inputs: ['nll', 'old_logps', 'ref_logps', 'advantages', 'weights'],
  outputs: ['loss', 'statistics'],
  oracle,
  reference,
  kernel: (inputs, attrs) => {
    const n = inputs.nll.size;
    const loss = output([n]);
    const statistics = output([n, COLUMNS]);
    dispatch({
      name: 'clipped_ratio',
      code: wgsl,
      writes: [loss, statistics],
      reads: [...policyOf(inputs), inputs.weights],
      params: [['u32', n], ...limits(attrs)],
      workgroups: grid(Math.ceil(n / ELEMENTWISE)),
    });
    return { loss, statistics };
  },
  processor: (inputs, attrs) => {
    const n = inputs.nll.size;
    const loss = output([n]);
    const statistics = output([n, COLUMNS]);
    runOnProcessor({
      kernel: 'clipped_ratio',
      writes: [loss, statistics],
      reads: [...policyOf(inputs), inputs.weights],
      params: [['i32', n], ...limits(attrs)],
    });
    return { loss, statistics };
  },
  gradient: {
    saves: { inputs: ['nll', 'old_logps', 'ref_logps', 'advantages', 'weights'], outputs: [] },
    from: ['loss'],
    to: {
      nll: ({ inputs, attrs, dy }) =>
        run(clippedRatioGrad, { ...inputs, dy: required(dy.loss) }, attrs).dnll,
    },
  },
  bench: ({ N }, inputs) => [
    {
      attrs: { epsilon: 0.2, epsilon_high: 0.2, beta: 0 },
      inputs: { ...benchPolicy(N, inputs), weights: inputs.full(1 / N, N) },
    },
  ],
  cases: Object.entries(CASES).map(([name, size]) => ({
    name,
    attrs: size.attrs,
    inputs: (random) => ({ ...policyInputs(random, size), weights: maskOf(random, size.n) }),
  })),
});

/** Gradient of `clipped_ratio`: its inputs and dy [n] -> dnll [n]. */
export const clippedRatioGrad: OpDefinition<In | 'dy', ClippedRatioAttrs, 'dnll', never> = defineOp(
  {
    name: 'clipped_ratio_grad',
    inputs: ['nll', 'old_logps', 'ref_logps', 'advantages', 'weights', 'dy'],
    outputs: ['dnll'],
    oracle: (inputs, { epsilon, epsilon_high, beta }: ClippedRatioAttrs) => {
      const dnll = zeros(inputs.nll.shape);
      for (let i = 0; i < dnll.data.length; i++) {
        const dy = at(inputs.dy, i);
        if (at(inputs.weights, i) === 0) continue;
        const logp = -at(inputs.nll, i);
        const advantage = at(inputs.advantages, i);
        const ratio = Math.exp(logp - at(inputs.old_logps, i));
        const clipped = Math.min(Math.max(ratio, 1 - epsilon), 1 + epsilon_high);
        // Written so that a NaN stays one.
        const policy = ratio * advantage > clipped * advantage ? 0 : ratio * advantage;
        const kl = beta === 0 ? 0 : 1 - Math.exp(at(inputs.ref_logps, i) - logp);
        dnll.data[i] = dy * (policy - beta * kl);
      }
      return { dnll };
    },
    reference: ({ nll, old_logps, ref_logps, advantages, weights, dy }, attrs) => {
      const { epsilon, epsilon_high, beta } = attrs;
      const logp = neg(nll);
      const ratio = exp(sub(logp, old_logps));
      const clipped = clipByValue(ratio, 1 - epsilon, 1 + epsilon_high);
      const gain = mul(ratio, advantages);
      const policy = where(greater(gain, mul(clipped, advantages)), zerosLike(nll), gain);
      const kl = beta === 0 ? zerosLike(nll) : sub(1, exp(sub(ref_logps, logp)));
      const dnll = mul(dy, sub(policy, mul(beta, kl)));
      return { dnll: where(equal(weights, 0), zerosLike(nll), dnll) };
    },
    kernel: (inputs, attrs) => {
      const dnll = output(inputs.nll.shape);
      dispatch({
        name: 'clipped_ratio_grad',
        code: gradWgsl,
        writes: [dnll],
        reads: [...policyOf(inputs), inputs.weights, inputs.dy],
        params: [['u32', dnll.size], ...limits(attrs)],
        workgroups: grid(Math.ceil(dnll.size / ELEMENTWISE)),
      });
      return { dnll };
    },
    processor: (inputs, attrs) => {
      const dnll = output(inputs.nll.shape);
      runOnProcessor({
        kernel: 'clipped_ratio_grad',
        writes: [dnll],
        reads: [...policyOf(inputs), inputs.weights, inputs.dy],
        params: [['i32', dnll.size], ...limits(attrs)],
      });
      return { dnll };
    },
    gradient: null,
    bench: ({ N }, inputs) => [
      {
        attrs: { epsilon: 0.2, epsilon_high: 0.2, beta: 0 },
        inputs: { ...benchPolicy(N, inputs), weights: inputs.full(1 / N, N), dy: inputs.normal(N) },
      },
    ],
    cases: Object.entries(CASES).map(([name, size]) => ({
      name,
      attrs: size.attrs,
      inputs: (random) => ({
        ...policyInputs(random, size),
        weights: maskOf(random, size.n),
        dy: random.normal([size.n]),
      }),
    })),
  },
);
