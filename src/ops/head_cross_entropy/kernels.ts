/**
 * Head and cross-entropy by kernels, one chunk of the vocabulary at a time: the logits of a chunk
 * overwrite those of the previous one in a scratch tensor. Rows of the weight and of its gradient are
 * views into their buffers.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, rowsOf, storageFor, viewOf } from '../../backend/index.ts';
import {
  crossEntropyChunkKernel,
  crossEntropyFinishKernel,
  crossEntropyGradKernel,
  newRowStates,
} from '../cross_entropy/kernels.ts';
import type { Tensors } from '../define.ts';
import { dims2 } from '../host.ts';
import { matmulKernel } from '../matmul/kernel.ts';
import type { HeadCrossEntropyAttrs } from './cases.ts';

/** The kernels of one device that this file combines. */
export interface HeadKernels {
  matmul: (a: Tensor, b: Tensor, options: HeadMatmulOptions) => Tensor;
  addChunk: typeof crossEntropyChunkKernel;
  finish: typeof crossEntropyFinishKernel;
  gradient: typeof crossEntropyGradKernel;
}

/** `to` is overwritten, `into` is added to, `residual` is added to a new tensor. */
interface HeadMatmulOptions {
  transpose_a?: boolean;
  transpose_b?: boolean;
  to?: Tensor;
  into?: Tensor;
  residual?: Tensor;
}

export const gpuKernels: HeadKernels = {
  matmul: matmulKernel,
  addChunk: crossEntropyChunkKernel,
  finish: crossEntropyFinishKernel,
  gradient: crossEntropyGradKernel,
};

/** Tokens [first, end) of the vocabulary. */
export interface Chunk {
  first: number;
  end: number;
}

/** Consecutive chunks of the vocabulary; the last may be smaller. */
export const chunksOf = (vocab_size: number, chunk: number): Chunk[] =>
  Array.from({ length: Math.ceil(vocab_size / chunk) }, (_, i) => ({
    first: i * chunk,
    end: Math.min(vocab_size, (i + 1) * chunk),
  }));

/**
 * Computes the logits [N, chunk] of each chunk in turn; `visit` may overwrite them. They are stored
 * as float16 if all logits [N, V] would be.
 */
export function eachChunk(
  { matmul }: Pick<HeadKernels, 'matmul'>,
  { x, weight }: Tensors<'x' | 'weight'>,
  chunk: number,
  visit: (logits: Tensor, weight: Tensor, tokens: Chunk) => void,
): void {
  const [n] = dims2(x.shape);
  const [v] = dims2(weight.shape);
  const scratch = output([n, Math.min(chunk, v)], storageFor([n, v]));
  for (const tokens of chunksOf(v, chunk)) {
    const rows = rowsOf(weight, tokens.first, tokens.end);
    const logits = viewOf(scratch, [n, tokens.end - tokens.first]);
    matmul(x, rows, { transpose_b: true, to: logits });
    visit(logits, rows, tokens);
    rows.dispose();
    logits.dispose();
  }
  scratch.dispose();
}

/** x [N, D], weight [V, D], targets [N] int32 -> the outputs of `cross_entropy`, each [N]. */
export function headCrossEntropyBy(
  kernels: HeadKernels,
  { x, weight, targets }: Tensors<'x' | 'weight' | 'targets'>,
  { chunk, exchange }: HeadCrossEntropyAttrs,
): Tensors<'loss' | 'lse' | 'probability' | 'correct'> {
  const [n] = dims2(x.shape);
  const states = newRowStates(n);
  eachChunk(kernels, { x, weight }, chunk, (logits, _rows, { first }) => {
    kernels.addChunk(logits, targets, states, first);
  });
  exchange?.(states);
  const outputs = kernels.finish(states, targets);
  states.dispose();
  return outputs;
}

export type HeadGradInputs = 'x' | 'weight' | 'targets' | 'lse' | 'dloss';

/** The gradient of the weight [V, D], which is overwritten or added to. */
interface WeightGradient {
  tensor: Tensor;
  add: boolean;
}

/** The gradients of x and of the weight, the latter added to `into` if it is given. */
export function headCrossEntropyGradBy(
  kernels: HeadKernels,
  inputs: Tensors<HeadGradInputs>,
  chunk: number,
  into?: Tensor,
): Tensors<'dx' | 'weight'> {
  const weight = into ?? output(inputs.weight.shape);
  const dx = headGradients(kernels, inputs, chunk, { tensor: weight, add: into !== undefined });
  return { dx, weight };
}

/** The gradient of x alone. */
export function headCrossEntropyGradXBy(
  kernels: HeadKernels,
  inputs: Tensors<HeadGradInputs>,
  chunk: number,
): Tensors<'dx'> {
  return { dx: headGradients(kernels, inputs, chunk, null) };
}

/**
 * Returns dx, which is summed over the chunks in float32; the last chunk stores it as an activation.
 */
function headGradients(
  kernels: HeadKernels,
  { x, weight, targets, lse, dloss }: Tensors<HeadGradInputs>,
  chunk: number,
  dweight: WeightGradient | null,
): Tensor {
  const [v] = dims2(weight.shape);
  let sum: Tensor | undefined;
  let dx: Tensor | undefined;
  eachChunk(kernels, { x, weight }, chunk, (logits, rows, { first, end }) => {
    const dlogits = kernels.gradient({ logits, targets, lse, dloss }, first);
    if (end === v) dx = kernels.matmul(dlogits, rows, { residual: sum });
    else if (sum) kernels.matmul(dlogits, rows, { into: sum });
    else sum = kernels.matmul(dlogits, rows, { to: output(x.shape) });
    if (!dweight) return;
    const part = rowsOf(dweight.tensor, first, end);
    const target = dweight.add ? { into: part } : { to: part };
    kernels.matmul(dlogits, x, { transpose_a: true, ...target });
    part.dispose();
  });
  sum?.dispose();
  if (!dx) throw new Error('head_cross_entropy: the vocabulary is empty.');
  return dx;
}
