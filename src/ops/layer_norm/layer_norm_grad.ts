/** Gradients of LayerNorm, from the statistics that the forward kept. Checked through their oracles. */
import { sum } from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type Hosts } from '../define.ts';
import { gradWeightBiasKernel, gradWeightKernel, gradXKernel } from './kernels.ts';
import { gradColumns, gradX, rowStatistics } from './oracle.ts';
import * as reference from './reference.ts';

const backwardInputs = (r: CaseRandom, n: number, d: number): Hosts<'x' | 'weight' | 'mean' | 'rstd' | 'dy'> => {
  const x = r.normal([n, d], 1, 0.5), s = rowStatistics(x, 1e-5, true);
  return { x, weight: r.normal([d], 0.5, 1), mean: r.values([n], [...s.mean.data]), rstd: r.values([n], [...s.rstd.data]), dy: r.normal([n, d]) };
};
const without = <K extends string, L extends K>(hosts: Hosts<K>, key: L): Hosts<Exclude<K, L>> => {
  const { [key]: _, ...rest } = hosts;
  return rest;
};
const SHAPES = [[37, 96], [1, 7], [130, 5]] as const;

/** x [N, d], weight [d], mean [N], rstd [N], dy [N, d] -> dx [N, d]. */
export const layerNormGradX = defineOp({
  name: 'layer_norm_grad_x',
  inputs: ['x', 'weight', 'mean', 'rstd', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({ dx: gradX(x, weight, { mean, rstd }, dy) }),
  reference: ({ x, weight, mean, rstd, dy }) => ({ dx: reference.gradX(x, weight, mean, rstd, dy) }),
  kernel: ({ x, weight, mean, rstd, dy }) => ({ dx: gradXKernel(x, weight, mean, rstd, dy) }),
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => backwardInputs(r, n, d) })),
});

/** x [N, d], mean [N], rstd [N], dy [N, d] -> weight [d], bias [d]; both accumulate. */
export const layerNormGradWeightBias = defineOp({
  name: 'layer_norm_grad_weight_bias',
  inputs: ['x', 'mean', 'rstd', 'dy'],
  outputs: ['weight', 'bias'],
  oracle: ({ x, mean, rstd, dy }, _: object) => gradColumns(x, { mean, rstd }, dy),
  reference: ({ x, mean, rstd, dy }) => ({ weight: reference.gradWeight(x, mean, rstd, dy), bias: sum(dy, 0) }),
  kernel: ({ x, mean, rstd, dy }, _, into) => gradWeightBiasKernel(x, mean, rstd, dy, into),
  accumulates: ['weight', 'bias'],
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => without(backwardInputs(r, n, d), 'weight') })),
});

/** The same without a bias: x [N, d], mean [N], rstd [N], dy [N, d] -> weight [d], which accumulates. */
export const layerNormGradWeight = defineOp({
  name: 'layer_norm_grad_weight',
  inputs: ['x', 'mean', 'rstd', 'dy'],
  outputs: ['weight'],
  oracle: ({ x, mean, rstd, dy }, _: object) => ({ weight: gradColumns(x, { mean, rstd }, dy).weight }),
  reference: ({ x, mean, rstd, dy }) => ({ weight: reference.gradWeight(x, mean, rstd, dy) }),
  kernel: ({ x, mean, rstd, dy }, _, into) => ({ weight: gradWeightKernel(x, mean, rstd, dy, into.weight) }),
  accumulates: ['weight'],
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => without(backwardInputs(r, n, d), 'weight') })),
});
