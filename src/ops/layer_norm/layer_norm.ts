/**
 * LayerNorm (Ba, Kiros and Hinton 2016, equations 3 and 4; `torch.nn.LayerNorm` over the last
 * dimension): each row of x [N, d] less its mean, divided by sqrt(biased variance + eps), times
 * weight [d], plus bias [d]. The row's mean and rstd [N] come out as well; the gradient reads them.
 * The variance is a second pass over the row: E[x^2] - E[x]^2 would lose every digit of a row that
 * is far from zero.
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
import { normalised, rowStatistics } from './oracle.ts';
import * as reference from './reference.ts';

export interface NormAttrs {
  eps: number;
}

const SHAPES: readonly { name: string; n: number; d: number; mean: number; atol?: number }[] = [
  { name: '37x96', n: 37, d: 96, mean: 0 },
  { name: 'one row', n: 1, d: 7, mean: 0.5 },
  // Widths that take half a workgroup and a whole one, with odd ends.
  { name: '5x516', n: 5, d: 516, mean: 0 },
  { name: '2x1030', n: 2, d: 1030, mean: 0 },
  // Numbers near 100 carry 8e-6 in float32, and so does their mean; the rows' spread is 1.
  { name: 'far from zero', n: 5, d: 33, mean: 100, atol: 1e-4 },
];
const casesOf = <I extends string>(
  make: (r: CaseRandom, n: number, d: number, mean: number) => Hosts<I>,
): OpCase<I, NormAttrs>[] =>
  SHAPES.map(({ name, n, d, mean, atol }) => ({
    name,
    attrs: { eps: 1e-5 },
    inputs: (r) => make(r, n, d, mean),
    atol,
  }));

type Context<I extends string> = GradientContext<I, NormAttrs, 'y' | 'mean' | 'rstd'>;
type Of<I extends string> = Context<I | 'x' | 'weight'>;

/** Of x alone, and of everything in one go: one of the two is run, by what is wanted. */
const gradX = ({ inputs: { x, weight }, outputs: { mean, rstd }, dy, into }: Of<'x'>): Tensor =>
  run(layerNormGradX, { x, weight, mean, rstd, dy: required(dy.y) }, {}, { dx: into.x }).dx;
const all = perNode(({ inputs: { x, weight }, outputs: { mean, rstd }, dy, into }: Of<'bias'>) =>
  run(
    layerNormGrad,
    { x, weight, mean, rstd, dy: required(dy.y) },
    {},
    { dx: into.x, weight: into.weight, bias: into.bias },
  ),
);
const allNoBias = perNode(({ inputs: { x, weight }, outputs: { mean, rstd }, dy, into }: Of<'x'>) =>
  run(
    layerNormNoBiasGrad,
    { x, weight, mean, rstd, dy: required(dy.y) },
    {},
    { dx: into.x, weight: into.weight },
  ),
);

/** x [N, d], weight [d], bias [d] -> y [N, d], mean [N], rstd [N]. */
export const layerNorm = defineOp({
  name: 'layer_norm',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y', 'mean', 'rstd'],
  oracle: ({ x, weight, bias }, { eps }: NormAttrs) => {
    const s = rowStatistics(x, eps, true);
    return { y: normalised(x, s, weight, bias), ...s };
  },
  reference: ({ x, weight, bias }, { eps }) => {
    const { normal, mean, rstd } = reference.centredAndScaled(x, eps);
    return { y: add(mul(normal, weight), bias), mean, rstd };
  },
  kernel: ({ x, weight, bias }, { eps }) => layerNormKernel(x, weight, bias, eps),
  halves: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['mean', 'rstd'] },
    from: ['y'],
    to: {
      x: (c) => ((c.wanted.weight ?? c.wanted.bias) ? all(c).dx : gradX(c)),
      weight: (c) => all(c).weight,
      bias: (c) => all(c).bias,
    },
  },
  cases: casesOf((r, n, d, mean) => ({
    x: r.normal([n, d], 1, mean),
    weight: r.normal([d], 0.5, 1),
    bias: r.normal([d], 0.5),
  })),
});

/** LayerNorm without a bias: x [N, d], weight [d] -> y [N, d], mean [N], rstd [N]. */
export const layerNormNoBias = defineOp({
  name: 'layer_norm_no_bias',
  inputs: ['x', 'weight'],
  outputs: ['y', 'mean', 'rstd'],
  oracle: ({ x, weight }, { eps }: NormAttrs) => {
    const s = rowStatistics(x, eps, true);
    return { y: normalised(x, s, weight, null), ...s };
  },
  reference: ({ x, weight }, { eps }) => {
    const { normal, mean, rstd } = reference.centredAndScaled(x, eps);
    return { y: mul(normal, weight), mean, rstd };
  },
  kernel: ({ x, weight }, { eps }) => layerNormKernel(x, weight, null, eps),
  halves: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['mean', 'rstd'] },
    from: ['y'],
    to: {
      x: (c) => (c.wanted.weight ? allNoBias(c).dx : gradX(c)),
      weight: (c) => allNoBias(c).weight,
    },
  },
  cases: casesOf((r, n, d, mean) => ({
    x: r.normal([n, d], 1, mean),
    weight: r.normal([d], 0.5, 1),
  })),
});
