/** Rows of a matrix by index: the last hidden row of each prompt before the head, in prefill. */
import { gather } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { defineOp, type OpDefinition } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import wgsl from './take_rows.wgsl?raw';

export type TakeRowsAttrs = Record<string, never>;

/**
 * x [N, d], rows int32 [M] (each below N; not checked on the GPU) -> y [M, d]. For generation: it
 * has no gradient.
 */
export const takeRows: OpDefinition<'x' | 'rows', TakeRowsAttrs, 'y', never> = defineOp({
  name: 'take_rows',
  inputs: ['x', 'rows'],
  outputs: ['y'],
  oracle: ({ x, rows }) => {
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
  gradient: null,
  cases: [
    {
      name: 'some rows',
      inputs: (r) => ({ x: r.normal([9, 5]), rows: r.ints([4], 9) }),
      attrs: {},
    },
    {
      name: 'one row',
      inputs: (r) => ({ x: r.normal([3, 8]), rows: r.values([1], [2], 'int32') }),
      attrs: {},
    },
  ],
});
