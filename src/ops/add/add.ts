/**
 * a + b of one shape: the residual. Its gradient is `dy` itself for both, the same tensor. tfjs's
 * own kernel is right for it.
 */
import { add as tfAdd } from '@tensorflow/tfjs-core';
import { defineOp } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';

/** a, b of one shape -> sum. */
export const add = defineOp({
  name: 'add',
  inputs: ['a', 'b'],
  outputs: ['sum'],
  oracle: ({ a, b }, _: object) => {
    const sum = zeros(a.shape);
    sum.data.forEach((_v, i) => {
      sum.data[i] = at(a, i) + at(b, i);
    });
    return { sum };
  },
  reference: ({ a, b }) => ({ sum: tfAdd(a, b) }),
  kernel: null,
  gradient: {
    saves: { inputs: [], outputs: [] },
    from: ['sum'],
    to: { a: ({ dy }) => required(dy.sum), b: ({ dy }) => required(dy.sum) },
  },
  cases: [
    { name: '5x7', attrs: {}, inputs: (r) => ({ a: r.normal([5, 7]), b: r.normal([5, 7]) }) },
  ],
});
