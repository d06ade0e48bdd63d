/**
 * a + b of one shape, for residual connections. The gradient of both inputs is `dy` itself, the same
 * tensor. Has no WGSL kernel of its own, since tfjs's is as fast.
 */
import { add as tfAdd } from '@tensorflow/tfjs-core';
import { defineOp } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';

/** a, b of the same shape -> sum. */
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
  bench: ({ N, D }, inputs) => [
    { attrs: {}, inputs: { a: inputs.normal(N, D), b: inputs.normal(N, D) } },
  ],
  cases: [
    {
      name: '5x7',
      attrs: {},
      inputs: (random) => ({ a: random.normal([5, 7]), b: random.normal([5, 7]) }),
    },
  ],
});
