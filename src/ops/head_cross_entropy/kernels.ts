/**
 * Kernels of head and cross-entropy, one chunk of the vocabulary at a time: the logits of a chunk
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
function eachChunk(
  x: Tensor,
  weight: Tensor,
  chunk: number,
  visit: (logits: Tensor, weight: Tensor, tokens: Chunk) => void,
): void {
  const [n] = dims2(x.shape);
  const [v] = dims2(weight.shape);
  const scratch = output([n, Math.min(chunk, v)], storageFor([n, v]));
  for (const tokens of chunksOf(v, chunk)) {
    const rows = rowsOf(weight, tokens.first, tokens.end);
    const logits = viewOf(scratch, [n, tokens.end - tokens.first]);
    matmulKernel(x, rows, { transpose_b: true, to: logits });
    visit(logits, rows, tokens);
    rows.dispose();
    logits.dispose();
  }
  scratch.dispose();
}

/** x [N, D], weight [V, D], targets [N] int32 -> the outputs of `cross_entropy`, each [N]. */
export function headCrossEntropyKernel(
  { x, weight, targets }: Tensors<'x' | 'weight' | 'targets'>,
  chunk: number,
): Tensors<'loss' | 'lse' | 'probability' | 'correct'> {
  const [n] = dims2(x.shape);
  const states = newRowStates(n);
  eachChunk(x, weight, chunk, (logits, _rows, { first }) => {
    crossEntropyChunkKernel(logits, targets, states, first);
  });
  const outputs = crossEntropyFinishKernel(states, targets);
  states.dispose();
  return outputs;
}

export type HeadGradInputs = 'x' | 'weight' | 'targets' | 'lse' | 'dloss';

/**
 * The gradients of x and of the weight, the latter added to `into` if it is given. dx is summed over
 * the chunks in float32; the last chunk stores it as an activation.
 */
export function headCrossEntropyGradKernel(
  { x, weight, targets, lse, dloss }: Tensors<HeadGradInputs>,
  chunk: number,
  into?: Tensor,
): Tensors<'dx' | 'weight'> {
  const [v] = dims2(weight.shape);
  const dweight = into ?? output(weight.shape);
  let sum: Tensor | undefined;
  let dx: Tensor | undefined;
  eachChunk(x, weight, chunk, (logits, rows, { first, end }) => {
    const dlogits = crossEntropyGradKernel({ logits, targets, lse, dloss }, first);
    if (end === v) dx = matmulKernel(dlogits, rows, { residual: sum });
    else if (sum) matmulKernel(dlogits, rows, { into: sum });
    else sum = matmulKernel(dlogits, rows, { to: output(x.shape) });
    const part = rowsOf(dweight, first, end);
    const target = into ? { into: part } : { to: part };
    matmulKernel(dlogits, x, { transpose_a: true, ...target });
    part.dispose();
  });
  sum?.dispose();
  if (!dx) throw new Error('head_cross_entropy: the vocabulary is empty.');
  return { dx, weight: dweight };
}
