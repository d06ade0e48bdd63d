/**
 * RMSNorm (Zhang and Sennrich 2019, equation 4; `LlamaRMSNorm`): each row of x [N, d] divided by sqrt(mean square +
 * eps), times weight [d]. The factor, rstd [N], comes out as well; the gradient reads it.
 */
import { mul } from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type Hosts, run } from '../define.ts';
import { required } from '../gradient.ts';
import type { NormAttrs } from '../layer_norm/layer_norm.ts';
import { gradWeightKernel } from '../layer_norm/kernels.ts';
import { gradColumns, gradX, normalised, rowStatistics } from '../layer_norm/oracle.ts';
import * as reference from '../layer_norm/reference.ts';
import { gradXKernel, rmsNormKernel } from './kernels.ts';

const SHAPES = [[37, 96], [1, 7], [130, 5]] as const;
const backwardInputs = (r: CaseRandom, n: number, d: number): Hosts<'x' | 'rstd' | 'dy'> => {
  const x = r.normal([n, d], 1, 0.5);
  return { x, rstd: r.values([n], [...rowStatistics(x, 1e-5, false).rstd.data]), dy: r.normal([n, d]) };
};

/** x [N, d], weight [d], rstd [N], dy [N, d] -> dx [N, d]. */
export const rmsNormGradX = defineOp({
  name: 'rms_norm_grad_x',
  inputs: ['x', 'weight', 'rstd', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, weight, rstd, dy }, _: object) => ({ dx: gradX(x, weight, { mean: null, rstd }, dy) }),
  reference: ({ x, weight, rstd, dy }) => ({ dx: reference.gradX(x, weight, null, rstd, dy) }),
  kernel: ({ x, weight, rstd, dy }) => ({ dx: gradXKernel(x, weight, rstd, dy) }),
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => ({ ...backwardInputs(r, n, d), weight: r.normal([d], 0.5, 1) }) })),
});

/** x [N, d], rstd [N], dy [N, d] -> weight [d], which accumulates. */
export const rmsNormGradWeight = defineOp({
  name: 'rms_norm_grad_weight',
  inputs: ['x', 'rstd', 'dy'],
  outputs: ['weight'],
  oracle: ({ x, rstd, dy }, _: object) => ({ weight: gradColumns(x, { mean: null, rstd }, dy).weight }),
  reference: ({ x, rstd, dy }) => ({ weight: reference.gradWeight(x, null, rstd, dy) }),
  kernel: ({ x, rstd, dy }, _, into) => ({ weight: gradWeightKernel(x, null, rstd, dy, into.weight) }),
  accumulates: ['weight'],
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => backwardInputs(r, n, d) })),
});

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
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: ['rstd'] },
    from: ['y'],
    to: {
      x: ({ inputs: { x, weight }, outputs: { rstd }, dy }) => run(rmsNormGradX, { x, weight, rstd, dy: required(dy.y) }, {}).dx,
      weight: ({ inputs: { x }, outputs: { rstd }, dy, into }) =>
        run(rmsNormGradWeight, { x, rstd, dy: required(dy.y) }, {}, { weight: into.weight }).weight,
    },
  },
  cases: SHAPES.map(([n, d], i) => ({
    name: `${n}x${d}`, attrs: { eps: 1e-5 },
    inputs: (r) => ({ x: r.normal([n, d], 1, i === 2 ? 100 : 0.5), weight: r.normal([d], 0.5, 1) }),
  })),
});
