/**
 * Inverted dropout (Srivastava et al. 2014; `torch.nn.Dropout`): each value of x [N, d] is zeroed
 * with probability `rate`, and the others are divided by 1 - rate. The backward pass draws the same
 * mask again, so no mask is saved.
 *
 * rng is int32 [4]: seed, step, row_offset (global index of the micro-batch's first sequence), and
 * an unused zero. A sequence covers `rows_per_sequence` rows of x, so the global index of row i is
 * row_offset * rows_per_sequence + i.
 *
 * tfjs has no integer xor and shift, so the reference makes the mask in JavaScript. It reads rng
 * synchronously, which is free on backends whose rng was made in JavaScript; on WebGPU only tests
 * run the reference.
 */
import { add, mul, type Tensor, tensor } from '@tensorflow/tfjs-core';
import {
  type BenchInput,
  type BenchInputs,
  type BenchSizes,
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
  /** Identifies the dropout layer in the model; layers draw independent masks. */
  site: number;
  /** Probability that a value is dropped, in [0, 1). */
  rate: number;
  /** Rows of x for each sequence of the batch. */
  rows_per_sequence: number;
}

function maskOf(rng: ArrayLike<number>, attrs: DropoutAttrs, shape: [number, number]) {
  const [seed = 0, step = 0, rowOffset = 0] = Array.from(rng);
  const [rows, columns] = shape;
  const { site, rate, rows_per_sequence } = attrs;
  const first_row = rowOffset * rows_per_sequence;
  return dropoutMask({ seed, step, site, rate, first_row, rows, columns });
}

function oracle(
  x: HostTensor,
  rng: HostTensor,
  attrs: DropoutAttrs,
  residual?: HostTensor,
): { y: HostTensor } {
  const shape = dims2(x.shape);
  const mask = maskOf(rng.data, attrs, shape);
  const scale = 1 / (1 - attrs.rate);
  const y = zeros(shape);
  for (let i = 0; i < y.data.length; i++)
    y.data[i] = at(x, i) * (mask[i] === 0 ? 0 : scale) + (residual ? at(residual, i) : 0);
  return { y };
}

function reference(x: Tensor, rng: Tensor, attrs: DropoutAttrs): Tensor {
  const shape = dims2(x.shape);
  return mul(x, tensor(maskOf(rng.dataSync(), attrs, shape), shape));
}

const gradientTo = {
  x: ({ dy, inputs, attrs }: GradientContext<'x' | 'rng', DropoutAttrs, 'y'>) =>
    run(dropout, { x: required(dy.y), rng: inputs.rng }, attrs).y,
};
const saves = { inputs: ['rng'], outputs: [] } as const;

const benchAttrs = ({ T }: BenchSizes): DropoutAttrs => ({
  site: 3,
  rate: 0.2,
  rows_per_sequence: T,
});
const benchRng = (inputs: BenchInputs): BenchInput =>
  inputs.int32([4], (i) => [1337, 3, 0, 0][i] ?? 0);

const inputs =
  (n: number, d: number, rng: readonly number[]) =>
  (random: CaseRandom): Hosts<'x' | 'rng'> => ({
    x: random.normal([n, d], 1, 3),
    rng: random.values([4], rng, 'int32'),
  });

/** x [N, d], rng [4] int32 -> y [N, d] = dropout(x). */
export const dropout: OpDefinition<'x' | 'rng', DropoutAttrs, 'y', 'x'> = defineOp({
  name: 'dropout',
  inputs: ['x', 'rng'],
  outputs: ['y'],
  oracle: ({ x, rng }, attrs: DropoutAttrs) => oracle(x, rng, attrs),
  reference: ({ x, rng }, attrs) => ({ y: reference(x, rng, attrs) }),
  kernel: ({ x, rng }, attrs) => ({ y: dropoutKernel(x, rng, attrs) }),
  float16: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: gradientTo },
  bench: (sizes, inputs) => [
    {
      attrs: benchAttrs(sizes),
      inputs: { x: inputs.normal(sizes.N, sizes.D), rng: benchRng(inputs) },
    },
  ],
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
  float16: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...gradientTo, residual: ({ dy }) => required(dy.y) } },
  bench: (sizes, inputs) => [
    {
      attrs: benchAttrs(sizes),
      inputs: {
        x: inputs.normal(sizes.N, sizes.D),
        rng: benchRng(inputs),
        residual: inputs.normal(sizes.N, sizes.D),
      },
    },
  ],
  cases: [
    {
      name: '37x96',
      attrs: { site: 3, rate: 0.2, rows_per_sequence: 8 },
      inputs: (random) => ({
        ...inputs(37, 96, [1337, 12, 5, 0])(random),
        residual: random.normal([37, 96]),
      }),
    },
  ],
});
