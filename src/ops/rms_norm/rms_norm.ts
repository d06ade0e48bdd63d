/**
 * RMSNorm (Zhang and Sennrich 2019, equation 4; `LlamaRMSNorm`): y = x / sqrt(mean square + eps) *
 * weight for each row of x [N, d]. The factor rstd [N] is an output too, because the gradient reads
 * it. The code is LayerNorm's without centering (layer_norm/).
 */
import { mul, type Tensor } from '@tensorflow/tfjs-core';
import {
  type BenchInputs,
  type BenchSizes,
  type CaseRandom,
  defineOp,
  type GradientContext,
  type Hosts,
  type OpBench,
  type OpCase,
  perNode,
  run,
} from '../define.ts';
import { required } from '../gradient.ts';
import type { NormAttrs } from '../layer_norm/layer_norm.ts';
import { normGradKernel } from '../layer_norm/grad_kernel.ts';
import { rmsNormKernel } from '../layer_norm/kernels.ts';
import { gradColumns, gradX, normalized, rowStatistics } from '../layer_norm/oracle.ts';
import * as reference from '../layer_norm/reference.ts';
import { rmsNormGradXKernel } from './kernels.ts';

const SHAPES = [
  [37, 96],
  [1, 7],
  [130, 5],
] as const;

type BackwardInput = 'x' | 'weight' | 'rstd' | 'dy';

function backwardInputs(random: CaseRandom, n: number, d: number): Hosts<BackwardInput> {
  const x = random.normal([n, d], 1, 0.5);
  return {
    x,
    weight: random.normal([d], 0.5, 1),
    rstd: random.values([n], [...rowStatistics(x, 1e-5, false).rstd.data]),
    dy: random.normal([n, d]),
  };
}

const backwardBench = (
  { N, D }: BenchSizes,
  inputs: BenchInputs,
): readonly OpBench<BackwardInput, object>[] => [
  {
    attrs: {},
    inputs: {
      x: inputs.normal(N, D),
      weight: inputs.normal(D),
      rstd: inputs.full(1, N),
      dy: inputs.normal(N, D),
    },
  },
];

const backwardCases = SHAPES.map(([n, d]): OpCase<BackwardInput, object> => ({
  name: `${n}x${d}`,
  attrs: {},
  inputs: (random) => backwardInputs(random, n, d),
}));

/**
 * The gradient of x alone, for a frozen weight: x [N, d], weight [d], rstd [N], dy [N, d] ->
 * dx [N, d]. The output accumulates.
 */
export const rmsNormGradX = defineOp({
  name: 'rms_norm_grad_x',
  inputs: ['x', 'weight', 'rstd', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, weight, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean: null, rstd }, dy),
  }),
  reference: (inputs) => ({ dx: reference.gradX({ ...inputs, mean: null }) }),
  kernel: (inputs, _, into) => ({ dx: rmsNormGradXKernel(inputs, into.dx) }),
  accumulates: ['dx'],
  gradient: null,
  bench: backwardBench,
  cases: backwardCases,
});

/**
 * Both gradients: x [N, d], weight [d], rstd [N], dy [N, d] -> dx [N, d], weight [d]. The outputs
 * accumulate.
 */
export const rmsNormGrad = defineOp({
  name: 'rms_norm_grad',
  inputs: ['x', 'weight', 'rstd', 'dy'],
  outputs: ['dx', 'weight'],
  oracle: ({ x, weight, rstd, dy }, _: object) => ({
    dx: gradX(x, weight, { mean: null, rstd }, dy),
    weight: gradColumns(x, { mean: null, rstd }, dy).weight,
  }),
  reference: (inputs) => ({
    dx: reference.gradX({ ...inputs, mean: null }),
    weight: reference.gradWeight({ ...inputs, mean: null }),
  }),
  kernel: (inputs, _, into) => normGradKernel('rms_norm_grad', { ...inputs, mean: null }, into),
  accumulates: ['dx', 'weight'],
  float16: { inputs: ['x', 'dy'] },
  gradient: null,
  bench: backwardBench,
  cases: backwardCases,
});

type Context = GradientContext<'x' | 'weight', NormAttrs, 'y' | 'rstd'>;

const gradientInputs = ({ inputs, outputs, dy }: Context) => ({
  x: inputs.x,
  weight: inputs.weight,
  rstd: outputs.rstd,
  dy: required(dy.y),
});

/** The gradient of x alone, if the weight is frozen. */
const gradientOfX = (context: Context): Tensor =>
  run(rmsNormGradX, gradientInputs(context), {}, { dx: context.into.x }).dx;

/** Both gradients at once. */
const gradients = perNode((context: Context) => {
  const { x: dx, weight } = context.into;
  return run(rmsNormGrad, gradientInputs(context), {}, { dx, weight });
});

/** x [N, d], weight [d] -> y [N, d], rstd [N]. */
export const rmsNorm = defineOp({
  name: 'rms_norm',
  inputs: ['x', 'weight'],
  outputs: ['y', 'rstd'],
  oracle: ({ x, weight }, { eps }: NormAttrs) => {
    const statistics = rowStatistics(x, eps, false);
    return { y: normalized(x, statistics, weight, null), rstd: statistics.rstd };
  },
  reference: ({ x, weight }, { eps }) => {
    const { normal, rstd } = reference.scaled(x, eps);
    return { y: mul(normal, weight), rstd };
  },
  kernel: ({ x, weight }, { eps }) => rmsNormKernel(x, weight, eps),
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['rstd'] },
    from: ['y'],
    to: {
      x: (context) => (context.wanted.weight ? gradients(context).dx : gradientOfX(context)),
      weight: (context) => gradients(context).weight,
    },
  },
  bench: ({ N, D }, inputs) => [
    { attrs: { eps: 1e-5 }, inputs: { x: inputs.normal(N, D), weight: inputs.normal(D) } },
  ],
  cases: SHAPES.map(([n, d], index) => ({
    name: `${n}x${d}`,
    attrs: { eps: 1e-5 },
    inputs: (random) => ({
      x: random.normal([n, d], 1, index === 2 ? 100 : 0.5),
      weight: random.normal([d], 0.5, 1),
    }),
  })),
});
