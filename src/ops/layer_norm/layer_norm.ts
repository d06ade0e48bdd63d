/**
 * LayerNorm (Ba, Kiros and Hinton 2016, equations 3 and 4; `torch.nn.LayerNorm` over the last
 * dimension): y = (x - mean) / sqrt(variance + eps) * weight + bias for each row of x [N, d], with
 * the biased variance. The row statistics mean [N] and rstd [N] are outputs too, because the
 * gradient reads them.
 *
 * The variance takes a second pass over the row: E[x^2] - E[x]^2 would cancel every digit of a row
 * far from zero.
 */
import { add, mul, type Tensor } from '@tensorflow/tfjs-core';
import {
  type CaseRandom,
  defineOp,
  type GradientContext,
  type Hosts,
  type OpCase,
  perNode,
  run,
} from '../define.ts';
import { required } from '../gradient.ts';
import { layerNormGrad, layerNormGradX, layerNormNoBiasGrad } from './layer_norm_grad.ts';
import { layerNormKernel } from './kernels.ts';
import { normalized, rowStatistics } from './oracle.ts';
import * as reference from './reference.ts';

export interface NormAttrs {
  /** Added to the variance (RMSNorm: to the mean square) before the square root. */
  eps: number;
}

interface CaseShape {
  name: string;
  n: number;
  d: number;
  /** Mean of x. */
  mean: number;
  atol?: number;
}
const SHAPES: readonly CaseShape[] = [
  { name: '37x96', n: 37, d: 96, mean: 0 },
  { name: 'one row', n: 1, d: 7, mean: 0.5 },
  // Rows that take half a workgroup and a whole one, and end unevenly.
  { name: '5x516', n: 5, d: 516, mean: 0 },
  { name: '2x1030', n: 2, d: 1030, mean: 0 },
  // A float32 near 100 is exact to 8e-6, and so is the mean of the row; its spread is 1.
  { name: 'far from zero', n: 5, d: 33, mean: 100, atol: 1e-4 },
];
const casesOf = <I extends string>(
  makeInputs: (random: CaseRandom, shape: CaseShape) => Hosts<I>,
): OpCase<I, NormAttrs>[] =>
  SHAPES.map((shape) => ({
    name: shape.name,
    attrs: { eps: 1e-5 },
    inputs: (random) => makeInputs(random, shape),
    atol: shape.atol,
  }));

type Context<I extends string> = GradientContext<
  I | 'x' | 'weight',
  NormAttrs,
  'y' | 'mean' | 'rstd'
>;

const backwardInputs = ({ inputs, outputs, dy }: Context<never>) => ({
  x: inputs.x,
  weight: inputs.weight,
  mean: outputs.mean,
  rstd: outputs.rstd,
  dy: required(dy.y),
});

/** The gradient of x alone, if the parameters are frozen. */
const gradientOfX = (context: Context<never>): Tensor =>
  run(layerNormGradX, backwardInputs(context), {}, { dx: context.into.x }).dx;

/** All gradients at once. */
const gradients = perNode((context: Context<'bias'>) => {
  const { x: dx, weight, bias } = context.into;
  return run(layerNormGrad, backwardInputs(context), {}, { dx, weight, bias });
});
const gradientsNoBias = perNode((context: Context<never>) => {
  const { x: dx, weight } = context.into;
  return run(layerNormNoBiasGrad, backwardInputs(context), {}, { dx, weight });
});

/** x [N, d], weight [d], bias [d] -> y [N, d], mean [N], rstd [N]. */
export const layerNorm = defineOp({
  name: 'layer_norm',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y', 'mean', 'rstd'],
  oracle: ({ x, weight, bias }, { eps }: NormAttrs) => {
    const statistics = rowStatistics(x, eps, true);
    return { y: normalized(x, statistics, weight, bias), ...statistics };
  },
  reference: ({ x, weight, bias }, { eps }) => {
    const { normal, mean, rstd } = reference.centeredAndScaled(x, eps);
    return { y: add(mul(normal, weight), bias), mean, rstd };
  },
  kernel: ({ x, weight, bias }, { eps }) => layerNormKernel(x, weight, bias, eps),
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['mean', 'rstd'] },
    from: ['y'],
    to: {
      x: (context) => {
        const parametersTrain = context.wanted.weight ?? context.wanted.bias;
        return parametersTrain ? gradients(context).dx : gradientOfX(context);
      },
      weight: (context) => gradients(context).weight,
      bias: (context) => gradients(context).bias,
    },
  },
  bench: ({ N, D }, inputs) => [
    {
      attrs: { eps: 1e-5 },
      inputs: { x: inputs.normal(N, D), weight: inputs.normal(D), bias: inputs.normal(D) },
    },
  ],
  cases: casesOf((random, { n, d, mean }) => ({
    x: random.normal([n, d], 1, mean),
    weight: random.normal([d], 0.5, 1),
    bias: random.normal([d], 0.5),
  })),
});

/** LayerNorm without a bias: x [N, d], weight [d] -> y [N, d], mean [N], rstd [N]. */
export const layerNormNoBias = defineOp({
  name: 'layer_norm_no_bias',
  inputs: ['x', 'weight'],
  outputs: ['y', 'mean', 'rstd'],
  oracle: ({ x, weight }, { eps }: NormAttrs) => {
    const statistics = rowStatistics(x, eps, true);
    return { y: normalized(x, statistics, weight, null), ...statistics };
  },
  reference: ({ x, weight }, { eps }) => {
    const { normal, mean, rstd } = reference.centeredAndScaled(x, eps);
    return { y: mul(normal, weight), mean, rstd };
  },
  kernel: ({ x, weight }, { eps }) => layerNormKernel(x, weight, null, eps),
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['mean', 'rstd'] },
    from: ['y'],
    to: {
      x: (context) => (context.wanted.weight ? gradientsNoBias(context).dx : gradientOfX(context)),
      weight: (context) => gradientsNoBias(context).weight,
    },
  },
  bench: ({ N, D }, inputs) => [
    { attrs: { eps: 1e-5 }, inputs: { x: inputs.normal(N, D), weight: inputs.normal(D) } },
  ],
  cases: casesOf((random, { n, d, mean }) => ({
    x: random.normal([n, d], 1, mean),
    weight: random.normal([d], 0.5, 1),
  })),
});
