/**
 * RMSNorm (Zhang and Sennrich 2019, equation 4; `LlamaRMSNorm`): each row of x [N, d] divided by
 * sqrt(mean square + eps), times weight [d]. The factor, rstd [N], comes out as well; the gradient
 * reads it.
 */
import { mul, type Tensor } from '@tensorflow/tfjs-core';
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
import type { NormAttrs } from '../layer_norm/layer_norm.ts';
import { normGradKernel } from '../layer_norm/grad_kernel.ts';
import { rmsNormKernel } from '../layer_norm/kernels.ts';
import { gradColumns, gradX, normalised, rowStatistics } from '../layer_norm/oracle.ts';
import * as reference from '../layer_norm/reference.ts';
import { gradXKernel } from './kernels.ts';

const SHAPES = [
  [37, 96],
  [1, 7],
  [130, 5],
] as const;
const backwardInputs = (
  r: CaseRandom,
  n: number,
  d: number,
): Hosts<'x' | 'weight' | 'rstd' | 'dy'> => {
  const x = r.normal([n, d], 1, 0.5);
  return {
    x,
    weight: r.normal([d], 0.5, 1),
    rstd: r.values([n], [...rowStatistics(x, 1e-5, false).rstd.data]),
    dy: r.normal([n, d]),
  };
};

const backwardCases = SHAPES.map(([n, d]): OpCase<'x' | 'weight' | 'rstd' | 'dy', object> => ({
  name: `${n}x${d}`,
  attrs: {},
  inputs: (r) => backwardInputs(r, n, d),
}));

/**
 * x [N, d], weight [d], rstd [N], dy [N, d] -> dx [N, d], which accumulates: where the weight is
 * frozen.
 */
export const rmsNormGradX = defineOp({
  name: 'rms_norm_grad_x',
  inputs: ['x', 'weight', 'rstd', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, weight, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean: null, rstd }, dy),
  }),
  reference: ({ x, weight, rstd, dy }) => ({ dx: reference.gradX(x, weight, null, rstd, dy) }),
  kernel: ({ x, weight, rstd, dy }, _, into) => ({ dx: gradXKernel(x, weight, rstd, dy, into.dx) }),
  accumulates: ['dx'],
  gradient: null,
  cases: backwardCases,
});

/** x [N, d], weight [d], rstd [N], dy [N, d] -> dx [N, d], weight [d]; both accumulate. */
export const rmsNormGrad = defineOp({
  name: 'rms_norm_grad',
  inputs: ['x', 'weight', 'rstd', 'dy'],
  outputs: ['dx', 'weight'],
  oracle: ({ x, weight, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean: null, rstd }, dy),
    weight: gradColumns(x, { mean: null, rstd }, dy).weight,
  }),
  reference: ({ x, weight, rstd, dy }) => ({
    dx: reference.gradX(x, weight, null, rstd, dy),
    weight: reference.gradWeight(x, null, rstd, dy),
  }),
  kernel: ({ x, weight, rstd, dy }, _, into) =>
    normGradKernel('rms_norm_grad', { x, weight, mean: null, rstd, dy }, into),
  accumulates: ['dx', 'weight'],
  halves: { inputs: ['x', 'dy'] },
  gradient: null,
  cases: backwardCases,
});

type Context = GradientContext<'x' | 'weight', NormAttrs, 'y' | 'rstd'>;
const ofX = ({ inputs: { x, weight }, outputs: { rstd }, dy, into }: Context): Tensor =>
  run(rmsNormGradX, { x, weight, rstd, dy: required(dy.y) }, {}, { dx: into.x }).dx;
const both = perNode(({ inputs: { x, weight }, outputs: { rstd }, dy, into }: Context) =>
  run(
    rmsNormGrad,
    { x, weight, rstd, dy: required(dy.y) },
    {},
    { dx: into.x, weight: into.weight },
  ),
);

/** x [N, d], weight [d] -> y [N, d], rstd [N]. */
export const rmsNorm = defineOp({
  name: 'rms_norm',
  inputs: ['x', 'weight'],
  outputs: ['y', 'rstd'],
  oracle: ({ x, weight }, { eps }: NormAttrs) => {
    const s = rowStatistics(x, eps, false);
    return { y: normalised(x, s, weight, null), rstd: s.rstd };
  },
  reference: ({ x, weight }, { eps }) => {
    const { normal, rstd } = reference.scaled(x, eps);
    return { y: mul(normal, weight), rstd };
  },
  kernel: ({ x, weight }, { eps }) => rmsNormKernel(x, weight, eps),
  halves: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['rstd'] },
    from: ['y'],
    to: { x: (c) => (c.wanted.weight ? both(c).dx : ofX(c)), weight: (c) => both(c).weight },
  },
  cases: SHAPES.map(([n, d], i) => ({
    name: `${n}x${d}`,
    attrs: { eps: 1e-5 },
    inputs: (r) => ({ x: r.normal([n, d], 1, i === 2 ? 100 : 0.5), weight: r.normal([d], 0.5, 1) }),
  })),
});
