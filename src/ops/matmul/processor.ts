/** Matrix products on the processor: the commands of `assembly/products.ts`. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, output, type Param, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { dims2 } from '../host.ts';
import type { EpilogueOptions } from './bindings.ts';
import { matmul } from './matmul.ts';
import { matmulSizeOf } from './sizes.ts';

export interface ProcessorMatmulOptions extends EpilogueOptions {
  transpose_a?: boolean;
  transpose_b?: boolean;
  /** C, overwritten; by default, a new tensor. */
  to?: Tensor;
}

/**
 * C [M, N] = op(a) op(b) with an epilogue, as `matmulKernel` has it. Returns C: `into`, `to` or a
 * new tensor.
 *
 * Throws if the shapes do not fit, or if `into` is combined with more than a bias.
 */
export function matmulProcessor(
  a: Tensor,
  b: Tensor,
  options: ProcessorMatmulOptions = {},
): Tensor {
  const { into, bias, residual, apply, derivative, columns } = options;
  if (into && (residual ?? apply ?? derivative))
    throw new Error('matmul: only a product with or without a bias can be added to a tensor.');
  const { M, N, K } = matmulSizeOf(a.shape, b.shape, options);
  const form = `${options.transpose_a ? 't' : 'n'}${options.transpose_b ? 't' : 'n'}`;
  const label = `matmul ${form} ${M}x${N}x${K}`;
  const c = into ?? options.to ?? (options.transpose_a ? output([M, N]) : activation([M, N]));
  const reads = [a, b, bias, residual, derivative?.before];
  const params = paramsOf(a, b, options);
  const call = { label, reads, params };
  if (into) runOnProcessor({ ...call, kernel: 'matmul_add', writes: [], updates: [c] });
  else if (apply) runOnProcessor({ ...call, kernel: 'matmul_apply', writes: [c, apply.to] });
  else runOnProcessor({ ...call, kernel: 'matmul', writes: [c] });
  if (columns) columnSumsProcessor(b, columns);
  return c;
}

/** The words of a product after its tensors; their meaning is in `assembly/products.ts`. */
function paramsOf(a: Tensor, b: Tensor, options: ProcessorMatmulOptions): Param[] {
  const { transpose_a = false, transpose_b = false, apply, derivative } = options;
  const { M, N, K } = matmulSizeOf(a.shape, b.shape, options);
  return [
    ['i32', M],
    ['i32', N],
    ['i32', K],
    ['i32', transpose_a ? 1 : 0],
    ['i32', transpose_b ? 1 : 0],
    ['i32', (apply ?? derivative)?.f.code ?? 0],
  ];
}

/** Writes or adds the sums of b's columns [N] to `to`; b [K, N]. */
export function columnSumsProcessor(b: Tensor, { to, add }: { to: Tensor; add: boolean }): void {
  const [rows, columns] = dims2(b.shape);
  const params: Param[] = [
    ['i32', rows],
    ['i32', columns],
  ];
  if (add)
    runOnProcessor({ kernel: 'column_sums_add', writes: [], updates: [to], reads: [b], params });
  else runOnProcessor({ kernel: 'column_sums', writes: [to], updates: [], reads: [b], params });
}

implement(matmul, ({ a, b }, attrs, into) => ({
  c: matmulProcessor(a, b, { ...attrs, into: into.c }),
}));
