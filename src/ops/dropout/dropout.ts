/**
 * Dropout (Srivastava et al. 2014; inverted, as `torch.nn.Dropout`): values are dropped at `rate`,
 * the rest divided by 1 - rate. Backward draws the same mask again; nothing is saved. x is [N, d];
 * rng is int32 [4]: seed, step, row_offset (the global number of the micro-batch's first sequence),
 * and a zero. A sequence covers `rows_per_sequence` rows of x, so the global row of row i is
 * row_offset * rows_per_sequence + i.
 *
 * Backends other than WebGPU have no integer xor and shift: their mask is made in JavaScript from
 * rng, which the caller made there. (On WebGPU the reference serves tests alone.)
 */
import { add, mul, type Tensor, tensor } from '@tensorflow/tfjs-core';
import {
  type CaseRandom,
  defineOp,
  type GradientContext,
  type Hosts,
  type HostTensor,
  type OpDefinition,
  run,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { dropoutKernel } from './kernels.ts';
import { dropoutMask } from './mask.ts';

export interface DropoutAttrs {
  site: number;
  rate: number;
  rows_per_sequence: number;
}

function maskOf(
  rng: ArrayLike<number>,
  { site, rate, rows_per_sequence }: DropoutAttrs,
  rows: number,
  columns: number,
): Float32Array {
  const [seed = 0, step = 0, offset = 0] = Array.from(rng);
  return dropoutMask({
    seed,
    step,
    site,
    rate,
    first_row: offset * rows_per_sequence,
    rows,
    columns,
  });
}
const inputs =
  (n: number, d: number, rng: readonly number[]) =>
  (r: CaseRandom): Hosts<'x' | 'rng'> => ({
    x: r.normal([n, d], 1, 3),
    rng: r.values([4], rng, 'int32'),
  });

function oracle(
  x: HostTensor,
  rng: HostTensor,
  attrs: DropoutAttrs,
  residual?: HostTensor,
): { y: HostTensor } {
  const [n, d] = dims2(x.shape);
  const mask = maskOf(rng.data, attrs, n, d);
  const y = zeros([n, d]);
  for (let i = 0; i < n * d; i++)
    y.data[i] =
      at(x, i) * (mask[i] === 0 ? 0 : 1 / (1 - attrs.rate)) + (residual ? at(residual, i) : 0);
  return { y };
}
function reference(x: Tensor, rng: Tensor, attrs: DropoutAttrs): Tensor {
  const [n, d] = dims2(x.shape);
  return mul(x, tensor(maskOf(rng.dataSync(), attrs, n, d), [n, d]));
}
const gradientTo = {
  x: (c: GradientContext<'x' | 'rng', DropoutAttrs, 'y'>) =>
    run(dropout, { x: required(c.dy.y), rng: c.inputs.rng }, c.attrs).y,
};
const saves = { inputs: ['rng'], outputs: [] } as const;

/** x [N, d], rng [4] int32 -> y [N, d]. */
export const dropout: OpDefinition<'x' | 'rng', DropoutAttrs, 'y', 'x'> = defineOp({
  name: 'dropout',
  inputs: ['x', 'rng'],
  outputs: ['y'],
  oracle: ({ x, rng }, attrs: DropoutAttrs) => oracle(x, rng, attrs),
  reference: ({ x, rng }, attrs) => ({ y: reference(x, rng, attrs) }),
  kernel: ({ x, rng }, attrs) => ({ y: dropoutKernel(x, rng, attrs) }),
  halves: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: gradientTo },
  cases: [
    {
      name: '37x96',
      attrs: { site: 3, rate: 0.2, rows_per_sequence: 8 },
      inputs: inputs(37, 96, [1337, 12, 5, 0]),
    },
    {
      name: 'large numbers',
      attrs: { site: 70, rate: 0.5, rows_per_sequence: 4096 },
      inputs: inputs(3, 40, [2147483647, 99_999_999, 1_000_000, 0]),
    },
  ],
});

/** x [N, d], rng [4] int32, residual [N, d] -> y [N, d] = residual + dropout(x). */
export const dropoutAdd: OpDefinition<
  'x' | 'rng' | 'residual',
  DropoutAttrs,
  'y',
  'x' | 'residual'
> = defineOp({
  name: 'dropout_add',
  inputs: ['x', 'rng', 'residual'],
  outputs: ['y'],
  oracle: ({ x, rng, residual }, attrs: DropoutAttrs) => oracle(x, rng, attrs, residual),
  reference: ({ x, rng, residual }, attrs) => ({ y: add(residual, reference(x, rng, attrs)) }),
  kernel: ({ x, rng, residual }, attrs) => ({ y: dropoutKernel(x, rng, attrs, residual) }),
  halves: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...gradientTo, residual: ({ dy }) => required(dy.y) } },
  cases: [
    {
      name: '37x96',
      attrs: { site: 3, rate: 0.2, rows_per_sequence: 8 },
      inputs: (r) => ({ ...inputs(37, 96, [1337, 12, 5, 0])(r), residual: r.normal([37, 96]) }),
    },
  ],
});
