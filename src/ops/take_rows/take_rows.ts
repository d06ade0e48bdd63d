/**
 * Rows of a matrix by index: the last hidden row of each prompt in prefill, or of each sequence
 * before a scalar head (reward models).
 */
import { gather, type Rank, reshape, unsortedSegmentSum } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import wgsl from './take_rows.wgsl?raw';
import gradWgsl from './take_rows_grad.wgsl?raw';

export interface TakeRowsAttrs {
  /** Rows of x, which the gradient has too. */
  N: number;
}

/**
 * x [N, d], rows int32 [M] (each below N, which the GPU does not check; they may repeat) -> y
 * [M, d].
 */
export const takeRows: OpDefinition<'x' | 'rows', TakeRowsAttrs, 'y', 'x'> = defineOp({
  name: 'take_rows',
  inputs: ['x', 'rows'],
  outputs: ['y'],
  oracle: ({ x, rows }, _: TakeRowsAttrs) => {
    const [, d] = dims2(x.shape);
    const y = zeros([rows.data.length, d]);
    rows.data.forEach((row, r) => {
      for (let i = 0; i < d; i++) y.data[r * d + i] = at(x, row * d + i);
    });
    return { y };
  },
  reference: ({ x, rows }) => ({ y: gather(x, rows) }),
  kernel: ({ x, rows }) => {
    const [, d] = dims2(x.shape);
    const y = output([rows.size, d]);
    dispatch({
      name: 'take_rows',
      code: wgsl,
      writes: [y],
      reads: [x, rows],
      params: [
        ['u32', y.size],
        ['u32', d],
      ],
      workgroups: grid(Math.ceil(y.size / 64)),
    });
    return { y };
  },
  processor: ({ x, rows }) => {
    const [, d] = dims2(x.shape);
    const y = output([rows.size, d]);
    runOnProcessor({
      kernel: 'take_rows',
      writes: [y],
      reads: [x, rows],
      params: [
        ['i32', rows.size],
        ['i32', d],
      ],
    });
    return { y };
  },
  gradient: {
    saves: { inputs: ['rows'], outputs: [] },
    from: ['y'],
    to: {
      x: ({ inputs: { rows }, attrs, dy }) =>
        run(takeRowsGrad, { dy: required(dy.y), rows }, attrs).dx,
    },
  },
  bench: ({ B, T, N, D }, inputs) => [
    { attrs: { N }, inputs: { x: inputs.normal(N, D), rows: inputs.int32([B], (i) => i * T) } },
  ],
  cases: [
    {
      name: 'some rows',
      inputs: (random) => ({ x: random.normal([9, 5]), rows: random.ints([4], 9) }),
      attrs: { N: 9 },
    },
    {
      name: 'one row',
      inputs: (random) => ({ x: random.normal([3, 8]), rows: random.values([1], [2], 'int32') }),
      attrs: { N: 3 },
    },
    {
      name: 'repeated rows',
      inputs: (random) => ({
        x: random.normal([4, 3]),
        rows: random.values([5], [3, 0, 3, 3, 0], 'int32'),
      }),
      attrs: { N: 4 },
    },
  ],
});

/**
 * Gradient of `take_rows`: dy [M, d], rows int32 [M] -> dx [N, d], zero in rows that were not
 * taken. Every row of dx searches all of `rows` and adds its rows of dy in their order: the result
 * is reproducible, and the cost is N M comparisons, which is little for the few rows per sequence
 * that the operation is meant for. `embedding` has sorted indices for many rows.
 */
export const takeRowsGrad: OpDefinition<'dy' | 'rows', TakeRowsAttrs, 'dx', never> = defineOp({
  name: 'take_rows_grad',
  inputs: ['dy', 'rows'],
  outputs: ['dx'],
  oracle: ({ dy, rows }, { N }: TakeRowsAttrs) => {
    const [, d] = dims2(dy.shape);
    const dx = zeros([N, d]);
    rows.data.forEach((row, r) => {
      for (let i = 0; i < d; i++) dx.data[row * d + i] = at(dx, row * d + i) + at(dy, r * d + i);
    });
    return { dx };
  },
  reference: ({ dy, rows }, { N }) => ({
    dx: unsortedSegmentSum(dy, reshape<Rank.R1>(rows, [rows.size]), N),
  }),
  kernel: ({ dy, rows }, { N }) => {
    const [, d] = dims2(dy.shape);
    const dx = output([N, d]);
    dispatch({
      name: 'take_rows_grad',
      code: gradWgsl,
      writes: [dx],
      reads: [dy, rows],
      params: [
        ['u32', N],
        ['u32', rows.size],
        ['u32', d],
      ],
      workgroups: grid(N),
    });
    return { dx };
  },
  processor: ({ dy, rows }, { N }) => {
    const [, d] = dims2(dy.shape);
    const dx = output([N, d]);
    runOnProcessor({
      kernel: 'take_rows_grad',
      writes: [dx],
      reads: [dy, rows],
      params: [
        ['i32', N],
        ['i32', rows.size],
        ['i32', d],
      ],
    });
    return { dx };
  },
  gradient: null,
  bench: ({ B, T, N, D }, inputs) => [
    { attrs: { N }, inputs: { dy: inputs.normal(B, D), rows: inputs.int32([B], (i) => i * T) } },
  ],
  cases: [
    {
      name: 'some rows',
      inputs: (random) => ({
        dy: random.normal([4, 5]),
        rows: random.values([4], [8, 0, 3, 7], 'int32'),
      }),
      attrs: { N: 9 },
    },
    {
      name: 'repeated rows, more columns than threads',
      inputs: (random) => ({ dy: random.normal([20, 70]), rows: random.ints([20], 6) }),
      attrs: { N: 7 },
    },
  ],
});
