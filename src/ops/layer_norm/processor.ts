/** LayerNorm, RMSNorm and their gradients on the processor (assembly/norms.ts, norm_gradients.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { dims2 } from '../host.ts';
import { rmsNorm, rmsNormGrad, rmsNormGradX } from '../rms_norm/rms_norm.ts';
import { layerNorm, layerNormNoBias } from './layer_norm.ts';
import { layerNormGrad, layerNormGradX, layerNormNoBiasGrad } from './layer_norm_grad.ts';
import type { NormGradInputs, NormGradInto } from './types.ts';

const sizesOf = (x: Tensor): Param[] => {
  const [n, d] = dims2(x.shape);
  return [
    ['i32', n],
    ['i32', d],
  ];
};

/** x [N, d], weight [d], bias [d] or undefined -> y [N, d], mean [N], rstd [N]. */
function layerNormProcessor(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  eps: number,
): Record<'y' | 'mean' | 'rstd', Tensor> {
  const [n] = dims2(x.shape);
  const y = output(x.shape);
  const mean = output([n]);
  const rstd = output([n]);
  runOnProcessor({
    kernel: 'layer_norm',
    writes: [y, rstd, mean],
    reads: [x, weight, bias],
    params: [...sizesOf(x), ['f32', eps]],
  });
  return { y, mean, rstd };
}

implement(layerNorm, ({ x, weight, bias }, { eps }) => layerNormProcessor(x, weight, bias, eps));
implement(layerNormNoBias, ({ x, weight }, { eps }) =>
  layerNormProcessor(x, weight, undefined, eps),
);

/** x [N, d], weight [d] -> y [N, d], rstd [N]. */
function rmsNormProcessor(x: Tensor, weight: Tensor, eps: number): Record<'y' | 'rstd', Tensor> {
  const [n] = dims2(x.shape);
  const y = output(x.shape);
  const rstd = output([n]);
  runOnProcessor({
    kernel: 'rms_norm',
    writes: [y, rstd],
    reads: [x, weight, undefined],
    params: [...sizesOf(x), ['f32', eps]],
  });
  return { y, rstd };
}

implement(rmsNorm, ({ x, weight }, { eps }) => rmsNormProcessor(x, weight, eps));

const adds = (into: Tensor | undefined): Param => ['i32', into ? 1 : 0];

const gradientReads = ({ x, weight, mean, rstd, dy }: NormGradInputs) => [
  x,
  weight,
  rstd,
  dy,
  mean ?? undefined,
];

/** The gradient of x alone, [N, d]: a new tensor, or added to `into`. */
function normGradXProcessor(inputs: NormGradInputs, into: Tensor | undefined): Tensor {
  const dx = into ?? output(inputs.x.shape);
  runOnProcessor({
    kernel: 'norm_gradient_x',
    writes: into ? [] : [dx],
    updates: into ? [into] : [],
    reads: gradientReads(inputs),
    params: [...sizesOf(inputs.x), adds(into)],
  });
  return dx;
}

implement(layerNormGradX, (inputs, _, into) => ({ dx: normGradXProcessor(inputs, into.dx) }));
implement(rmsNormGradX, (inputs, _, into) => ({
  dx: normGradXProcessor({ ...inputs, mean: null }, into.dx),
}));

/** Values of a block of rows, and its least rows: they bound the memory of the partial sums. */
const BLOCK_VALUES = 8192;
const BLOCK_ROWS = 16;

/** Gradients of x, of the weight and of the bias: new tensors, or added to `into`. */
function normGradBiasProcessor(
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight' | 'bias', Tensor> {
  const [n, d] = dims2(inputs.x.shape);
  const rows = Math.max(BLOCK_ROWS, Math.floor(BLOCK_VALUES / d));
  const parts = output([Math.ceil(n / rows), 2, d]);
  const dx = into.dx ?? output([n, d]);
  const weight = into.weight ?? output([d]);
  const bias = into.bias ?? output([d]);
  const targets = [into.dx, into.weight, into.bias];
  const updates = targets.filter((tensor) => tensor !== undefined);
  const written = [parts, ...[dx, weight, bias].filter((tensor) => !updates.includes(tensor))];
  const order = [...written, ...updates];
  runOnProcessor({
    kernel: 'norm_gradients',
    writes: written,
    updates,
    reads: gradientReads(inputs),
    params: [
      ...sizesOf(inputs.x),
      ['i32', rows],
      ...[dx, weight, bias].flatMap((tensor, i): Param[] => [
        ['i32', order.indexOf(tensor)],
        adds(targets[i]),
      ]),
    ],
  });
  parts.dispose();
  return { dx, weight, bias };
}

/** Gradients of x and of the weight: new tensors, or added to `into`. */
function normGradProcessor(
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight', Tensor> {
  const { dx, weight, bias } = normGradBiasProcessor(inputs, { dx: into.dx, weight: into.weight });
  bias.dispose();
  return { dx, weight };
}

implement(layerNormGrad, (inputs, _, into) => normGradBiasProcessor(inputs, into));
implement(layerNormNoBiasGrad, (inputs, _, into) => normGradProcessor(inputs, into));
implement(rmsNormGrad, (inputs, _, into) => normGradProcessor({ ...inputs, mean: null }, into));
