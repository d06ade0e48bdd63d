/**
 * Backward operations of LayerNorm. They read the row statistics that the forward pass saved, and
 * are checked against their float64 oracles.
 */
import { sum } from '@tensorflow/tfjs-core';
import {
  type BenchInputs,
  type BenchSizes,
  type CaseRandom,
  defineOp,
  type Hosts,
  type OpBench,
  type OpCase,
} from '../define.ts';
import { normGradBiasKernel, normGradKernel } from './grad_kernel.ts';
import { layerNormGradXKernel } from './kernels.ts';
import { gradColumns, gradX, rowStatistics } from './oracle.ts';
import * as reference from './reference.ts';

type Input = 'x' | 'weight' | 'mean' | 'rstd' | 'dy';
const INPUTS = ['x', 'weight', 'mean', 'rstd', 'dy'] as const;

/**
 * Rows with and without whole vec4 units, more rows than a workgroup processes at once, rows that
 * take a whole workgroup and end unevenly, and so many rows that each workgroup takes several
 * rounds.
 */
const SHAPES = [
  [37, 96],
  [1, 7],
  [130, 5],
  [3, 1028],
  [2, 1030],
  [8200, 5],
] as const;

function backwardInputs(random: CaseRandom, n: number, d: number): Hosts<Input> {
  const x = random.normal([n, d], 1, 0.5);
  const { mean, rstd } = rowStatistics(x, 1e-5, true);
  // Sums over thousands of rows lose digits in float32, so their dy is small.
  const std = n > 1000 ? 0.01 : 1;
  return {
    x,
    weight: random.normal([d], 0.5, 1),
    mean: random.values([n], [...mean.data]),
    rstd: random.values([n], [...rstd.data]),
    dy: random.normal([n, d], std),
  };
}

const bench = ({ N, D }: BenchSizes, inputs: BenchInputs): readonly OpBench<Input, object>[] => [
  {
    attrs: {},
    inputs: {
      x: inputs.normal(N, D),
      weight: inputs.normal(D),
      mean: inputs.full(0, N),
      rstd: inputs.full(1, N),
      dy: inputs.normal(N, D),
    },
  },
];

const cases = SHAPES.map(([n, d]): OpCase<Input, object> => ({
  name: `${n}x${d}`,
  attrs: {},
  inputs: (random) => backwardInputs(random, n, d),
}));

/**
 * The gradient of x alone, for frozen parameters: x [N, d], weight [d], mean [N], rstd [N],
 * dy [N, d] -> dx [N, d]. The output accumulates.
 */
export const layerNormGradX = defineOp({
  name: 'layer_norm_grad_x',
  inputs: INPUTS,
  outputs: ['dx'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
  }),
  reference: (inputs) => ({ dx: reference.gradX(inputs) }),
  kernel: (inputs, _, into) => ({ dx: layerNormGradXKernel(inputs, into.dx) }),
  accumulates: ['dx'],
  gradient: null,
  bench,
  cases,
});

/**
 * All gradients: x [N, d], weight [d], mean [N], rstd [N], dy [N, d] -> dx [N, d], weight [d],
 * bias [d]. The outputs accumulate.
 */
export const layerNormGrad = defineOp({
  name: 'layer_norm_grad',
  inputs: INPUTS,
  outputs: ['dx', 'weight', 'bias'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
    ...gradColumns(x, { mean, rstd }, dy),
  }),
  reference: (inputs) => ({
    dx: reference.gradX(inputs),
    weight: reference.gradWeight(inputs),
    bias: sum(inputs.dy, 0),
  }),
  kernel: (inputs, _, into) => normGradBiasKernel('layer_norm_grad', inputs, into),
  accumulates: ['dx', 'weight', 'bias'],
  float16: { inputs: ['x', 'dy'] },
  gradient: null,
  bench,
  cases,
});

/**
 * All gradients without a bias: x [N, d], weight [d], mean [N], rstd [N], dy [N, d] -> dx [N, d],
 * weight [d]. The outputs accumulate.
 */
export const layerNormNoBiasGrad = defineOp({
  name: 'layer_norm_no_bias_grad',
  inputs: INPUTS,
  outputs: ['dx', 'weight'],
  oracle: ({ x, weight, mean, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean, rstd }, dy),
    weight: gradColumns(x, { mean, rstd }, dy).weight,
  }),
  reference: (inputs) => ({
    dx: reference.gradX(inputs),
    weight: reference.gradWeight(inputs),
  }),
  kernel: (inputs, _, into) => normGradKernel('layer_norm_no_bias_grad', inputs, into),
  accumulates: ['dx', 'weight'],
  float16: { inputs: ['x', 'dy'] },
  gradient: null,
  bench,
  cases,
});
