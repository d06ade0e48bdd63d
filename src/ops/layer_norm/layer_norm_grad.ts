/**
 * Gradients of LayerNorm, from the statistics that the forward kept. Checked through their oracles.
 */
import { sum } from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type Hosts, type OpCase } from '../define.ts';
import { normGradBiasKernel, normGradKernel } from './grad_kernel.ts';
import { gradXKernel } from './kernels.ts';
import { gradColumns, gradX, rowStatistics } from './oracle.ts';
import * as reference from './reference.ts';

const backwardInputs = (
  r: CaseRandom,
  n: number,
  d: number,
): Hosts<'x' | 'weight' | 'mean' | 'rstd' | 'dy'> => {
  const x = r.normal([n, d], 1, 0.5);
  const s = rowStatistics(x, 1e-5, true);
  return {
    x,
    weight: r.normal([d], 0.5, 1),
    mean: r.values([n], [...s.mean.data]),
    rstd: r.values([n], [...s.rstd.data]),
    dy: r.normal([n, d], n > 1000 ? 0.01 : 1),
  };
};
/**
 * Rows of whole vec4 and not, more rows than a workgroup takes at once, rows that take a whole
 * workgroup with odd ends, and so many that each workgroup goes several rounds (with small dy: sums
 * of thousands lose digits in float32).
 */
const SHAPES = [
  [37, 96],
  [1, 7],
  [130, 5],
  [3, 1028],
  [2, 1030],
  [8200, 5],
] as const;

const allCases = SHAPES.map(([n, d]): OpCase<'x' | 'weight' | 'mean' | 'rstd' | 'dy', object> => ({
  name: `${n}x${d}`,
  attrs: {},
  inputs: (r) => backwardInputs(r, n, d),
}));

/**
 * x [N, d], weight [d], mean [N], rstd [N], dy [N, d] -> dx [N, d], which accumulates: where the
 * parameters are frozen.
 */
export const layerNormGradX = defineOp({
  name: 'layer_norm_grad_x',
  inputs: ['x', 'weight', 'mean', 'rstd', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
  }),
  reference: ({ x, weight, mean, rstd, dy }) => ({
    dx: reference.gradX(x, weight, mean, rstd, dy),
  }),
  kernel: ({ x, weight, mean, rstd, dy }, _, into) => ({
    dx: gradXKernel(x, weight, mean, rstd, dy, into.dx),
  }),
  accumulates: ['dx'],
  gradient: null,
  cases: allCases,
});

/**
 * x [N, d], weight [d], mean [N], rstd [N], dy [N, d] -> dx [N, d], weight [d], bias [d]; all
 * accumulate.
 */
export const layerNormGrad = defineOp({
  name: 'layer_norm_grad',
  inputs: ['x', 'weight', 'mean', 'rstd', 'dy'],
  outputs: ['dx', 'weight', 'bias'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
    ...gradColumns(x, { mean, rstd }, dy),
  }),
  reference: ({ x, weight, mean, rstd, dy }) => ({
    dx: reference.gradX(x, weight, mean, rstd, dy),
    weight: reference.gradWeight(x, mean, rstd, dy),
    bias: sum(dy, 0),
  }),
  kernel: (inputs, _, into) => normGradBiasKernel('layer_norm_grad', inputs, into),
  accumulates: ['dx', 'weight', 'bias'],
  halves: { inputs: ['x', 'dy'] },
  gradient: null,
  cases: allCases,
});

/** The same without a bias: dx [N, d], weight [d]; both accumulate. */
export const layerNormNoBiasGrad = defineOp({
  name: 'layer_norm_no_bias_grad',
  inputs: ['x', 'weight', 'mean', 'rstd', 'dy'],
  outputs: ['dx', 'weight'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
    weight: gradColumns(x, { mean, rstd }, dy).weight,
  }),
  reference: ({ x, weight, mean, rstd, dy }) => ({
    dx: reference.gradX(x, weight, mean, rstd, dy),
    weight: reference.gradWeight(x, mean, rstd, dy),
  }),
  kernel: (inputs, _, into) => normGradKernel('layer_norm_no_bias_grad', inputs, into),
  accumulates: ['dx', 'weight'],
  halves: { inputs: ['x', 'dy'] },
  gradient: null,
  cases: allCases,
});
