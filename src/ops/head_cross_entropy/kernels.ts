/**
 * Head and cross-entropy on WebGPU, a chunk of the vocabulary at a time: the logits of a chunk take
 * the place of those of the one before, in scratch that is as large as one. Weight and its gradient
 * are taken by rows, where they lie.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, rowsOf, storageFor, viewOf } from '../../backend/index.ts';
import {
  crossEntropyChunkKernel,
  crossEntropyFinishKernel,
  crossEntropyGradKernel,
  rowsSeen,
} from '../cross_entropy/kernels.ts';
import { dims2 } from '../host.ts';
import { matmulKernel } from '../matmul/kernel.ts';

/** Tokens [first, end) of the vocabulary. */
export interface Chunk {
  first: number;
  end: number;
}

export const chunksOf = (vocab_size: number, chunk: number): Chunk[] =>
  Array.from({ length: Math.ceil(vocab_size / chunk) }, (_, i) => ({
    first: i * chunk,
    end: Math.min(vocab_size, (i + 1) * chunk),
  }));

/**
 * Makes the logits [N, chunk] of each chunk in turn; `visit` may write over them. They are stored
 * as all of them [N, V] would be.
 */
function eachChunk(
  x: Tensor,
  weight: Tensor,
  chunk: number,
  visit: (logits: Tensor, weight: Tensor, c: Chunk) => void,
): void {
  const [n] = dims2(x.shape);
  const [v] = dims2(weight.shape);
  const scratch = output([n, Math.min(chunk, v)], storageFor([n, v]));
  for (const c of chunksOf(v, chunk)) {
    const rows = rowsOf(weight, c.first, c.end);
    const logits = viewOf(scratch, [n, c.end - c.first]);
    matmulKernel(x, rows, { transpose_b: true, to: logits });
    visit(logits, rows, c);
    rows.dispose();
    logits.dispose();
  }
  scratch.dispose();
}

export function headCrossEntropyKernel(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  chunk: number,
): Record<'loss' | 'lse' | 'probability' | 'correct', Tensor> {
  const [n] = dims2(x.shape);
  const seen = rowsSeen(n);
  eachChunk(x, weight, chunk, (logits, _rows, { first }) => {
    crossEntropyChunkKernel(logits, targets, seen, first);
  });
  const out = crossEntropyFinishKernel(seen, targets);
  seen.dispose();
  return out;
}

/** dx is summed over the chunks in float32, and becomes an activation with the last of them. */
export function headCrossEntropyGradKernel(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  lse: Tensor,
  dloss: Tensor,
  chunk: number,
  into?: Tensor,
): Record<'dx' | 'weight', Tensor> {
  const [v] = dims2(weight.shape);
  const dweight = into ?? output(weight.shape);
  const made: { sum?: Tensor; dx?: Tensor } = {};
  eachChunk(x, weight, chunk, (logits, rows, { first, end }) => {
    crossEntropyGradKernel(logits, targets, lse, dloss, first);
    if (end === v) made.dx = matmulKernel(logits, rows, made.sum && { residual: made.sum });
    else if (made.sum) matmulKernel(logits, rows, { into: made.sum });
    else made.sum = matmulKernel(logits, rows, { to: output(x.shape) });
    const part = rowsOf(dweight, first, end);
    matmulKernel(logits, x, { transpose_a: true, ...(into ? { into: part } : { to: part }) });
    part.dispose();
  });
  made.sum?.dispose();
  if (!made.dx) throw new Error('A vocabulary of no tokens has no head.');
  return { dx: made.dx, weight: dweight };
}
