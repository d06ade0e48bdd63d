/** Dispatches the kernels of `reduce.ts`: sums of partial results and of a matrix's columns. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, storageOf } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import {
  bind,
  epilogueConstants,
  epilogueOf,
  type EpilogueOptions,
  epilogueTensors,
  float16SlotsOf,
} from './bindings.ts';
import { slotsOf } from './epilogue.ts';
import { COLUMN_ROWS, columnsCode, reduceCode } from './reduce.ts';

/** Partial results, one after another. */
export interface Partials {
  tensor: Tensor;
  /** How many there are. */
  parts: number;
  /** Partial sums of columns [parts, N], if the epilogue has columns. */
  columns?: Tensor;
}

/**
 * Adds up `parts` partial results of this shape, in order, to `options.into` or a new tensor, and
 * applies the epilogue.
 */
export function sumPartials(
  partials: Tensor,
  shape: readonly number[],
  parts: number,
  options: EpilogueOptions = {},
): Tensor {
  const c = options.into ?? output(shape);
  sumPartialsTo(c, { tensor: partials, parts }, options);
  return c;
}

/** The same for a given C, which equals `options.into` if that is set. */
export function sumPartialsTo(c: Tensor, partials: Partials, options: EpilogueOptions): void {
  const { parts, columns } = partials;
  const epilogue = epilogueOf(options);
  const N = c.shape[c.rank - 1] ?? 1;
  const vec = N % 4 === 0;
  const unit = vec ? 4 : 1;
  const values = c.size / unit;
  const columnUnits = N / unit;
  const tensors = {
    ...epilogueTensors(options, c),
    partials: partials.tensor,
    column_parts: columns,
  };
  dispatch({
    name: `sum_partials ${parts}x${c.size}`,
    code: reduceCode(epilogue, vec, float16SlotsOf(tensors)),
    constants: epilogueConstants(options, epilogue),
    ...bind(slotsOf(epilogue, columns ? ['partials', 'column_parts'] : ['partials']), tensors),
    params: [
      ['u32', values],
      ['u32', parts],
      ['u32', columnUnits],
      ['u32', columns?.shape[0] ?? 0],
    ],
    workgroups: grid(Math.ceil((values + (columns ? columnUnits : 0)) / 64)),
  });
}

/** Partial sums of the columns of x [n, N]: a new tensor [parts, N]. */
export function partialColumnSums(x: Tensor): Tensor {
  const [n, N] = dims2(x.shape);
  const vec = N % 4 === 0;
  const rows = Math.max(COLUMN_ROWS, Math.ceil(n / 32));
  const parts = Math.ceil(n / rows);
  const sums = output([parts, N]);
  dispatch({
    name: `column_sums ${n}x${N}`,
    code: columnsCode(vec, storageOf(x) === 'float16'),
    writes: [sums],
    reads: [x],
    params: [
      ['u32', n],
      ['u32', vec ? N / 4 : N],
      ['u32', rows],
    ],
    workgroups: [Math.ceil(N / (vec ? 64 : 16)), parts, 1],
  });
  return sums;
}

/** Writes, or adds, the sums of the columns of x [n, N] to `to` [N]. */
export function sumColumns(x: Tensor, { to, add }: { to: Tensor; add: boolean }): void {
  const sums = partialColumnSums(x);
  const partials = { tensor: sums, parts: sums.shape[0] ?? 1 };
  sumPartialsTo(to, partials, { into: add ? to : undefined });
  sums.dispose();
}
