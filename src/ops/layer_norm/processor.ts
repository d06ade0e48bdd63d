/** LayerNorm, RMSNorm and their gradients on the processor (assembly/norms.ts, norm_gradients.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import type { NormGradInputs, NormGradInto } from './types.ts';

const sizesOf = (x: Tensor): Param[] => {
  const [n, d] = dims2(x.shape);
  return [
    ['i32', n],
    ['i32', d],
  ];
};

/** x [N, d], weight [d], bias [d] or undefined -> y [N, d], mean [N], rstd [N]. */
export function layerNormProcessor(
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

/** x [N, d], weight [d] -> y [N, d], rstd [N]. */
export function rmsNormProcessor(
  x: Tensor,
  weight: Tensor,
  eps: number,
): Record<'y' | 'rstd', Tensor> {
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

const adds = (into: Tensor | undefined): Param => ['i32', into ? 1 : 0];

const gradientReads = ({ x, weight, mean, rstd, dy }: NormGradInputs) => [
  x,
  weight,
  rstd,
  dy,
  mean ?? undefined,
];

/** The gradient of x alone, [N, d]: a new tensor, or added to `into`. */
export function normGradXProcessor(inputs: NormGradInputs, into: Tensor | undefined): Tensor {
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

/** Gradients of x and of the weight: new tensors, or added to `into`. */
export function normGradProcessor(
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight', Tensor> {
  const { dx, parts } = blockSums(inputs, into.dx);
  const weight = fold(parts, 0, into.weight);
  parts.dispose();
  return { dx, weight };
}

/** Gradients of x, of the weight and of the bias: new tensors, or added to `into`. */
export function normGradBiasProcessor(
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight' | 'bias', Tensor> {
  const { dx, parts } = blockSums(inputs, into.dx);
  const weight = fold(parts, 0, into.weight);
  const bias = fold(parts, 1, into.bias);
  parts.dispose();
  return { dx, weight, bias };
}

/** Values of a block of rows, and its least rows: they bound the memory of the partial sums. */
const BLOCK_VALUES = 8192;
const BLOCK_ROWS = 16;

/** dx, and the partial sums [blocks, 2, d] for weight and bias. */
function blockSums(
  inputs: NormGradInputs,
  into: Tensor | undefined,
): { dx: Tensor; parts: Tensor } {
  const [n, d] = dims2(inputs.x.shape);
  const rows = Math.max(BLOCK_ROWS, Math.floor(BLOCK_VALUES / d));
  const parts = output([Math.ceil(n / rows), 2, d]);
  const dx = into ?? output([n, d]);
  runOnProcessor({
    kernel: 'norm_gradients',
    writes: into ? [parts] : [parts, dx],
    updates: into ? [into] : [],
    reads: gradientReads(inputs),
    params: [...sizesOf(inputs.x), adds(into), ['i32', rows]],
  });
  return { dx, parts };
}

/** The sum over the blocks of the first or second parts, [d]. */
function fold(parts: Tensor, part: 0 | 1, into: Tensor | undefined): Tensor {
  const [blocks = 0, , d = 0] = parts.shape;
  const sums = into ?? output([d]);
  runOnProcessor({
    kernel: 'norm_gradient_fold',
    writes: into ? [] : [sums],
    updates: into ? [into] : [],
    reads: [parts],
    params: [['i32', blocks], ['i32', d], ['i32', part], adds(into)],
  });
  return sums;
}
