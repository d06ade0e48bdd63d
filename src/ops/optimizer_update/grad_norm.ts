/**
 * The norm of a flat gradient, in two dispatches. The order of additions is fixed, so runs are
 * reproducible.
 */
import { sqrt, square, sum, type Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp } from '../define.ts';
import { zeros } from '../host.ts';
import code from './grad_norm.wgsl?raw';
import { WORKGROUP } from './update.ts';

/** The most workgroups of the first dispatch; one workgroup of the second sums their results. */
const MAX_PARTS = 1024;

/** Partial sums that the first dispatch leaves for n values. */
export const partsOf = (n: number): number =>
  Math.max(1, Math.min(MAX_PARTS, Math.ceil(n / WORKGROUP)));

/** The first dispatch only: partial sums of squares of x, [partsOf(x.size)]. */
export function squaresKernel(x: Tensor): Tensor {
  const parts = partsOf(x.size);
  const sums = output([parts]);
  dispatch({
    name: 'grad_norm',
    code,
    writes: [sums],
    reads: [x],
    params: [
      ['u32', x.size],
      ['u32', 0],
    ],
    workgroups: [parts, 1, 1],
  });
  return sums;
}

function kernel({ x }: Record<'x', Tensor>): Record<'norm', Tensor> {
  const sums = squaresKernel(x);
  const norm = output([]);
  dispatch({
    name: 'grad_norm',
    code,
    writes: [norm],
    reads: [sums],
    params: [
      ['u32', sums.size],
      ['u32', 1],
    ],
    workgroups: [1, 1, 1],
  });
  sums.dispose();
  return { norm };
}

/** x [n] -> norm []: the square root of the sum of x^2. */
export const gradNorm = defineOp({
  name: 'grad_norm',
  inputs: ['x'],
  outputs: ['norm'],
  oracle: ({ x }, _: object) => {
    const norm = zeros([]);
    norm.data[0] = Math.sqrt(x.data.reduce((sum, value) => sum + value * value, 0));
    return { norm };
  },
  reference: ({ x }) => ({ norm: sqrt(sum(square(x))) }),
  kernel,
  gradient: null,
  bench: ({ P }, inputs) => [{ attrs: {}, inputs: { x: inputs.normal(P) } }],
  cases: [
    { name: 'one value', attrs: {}, inputs: (random) => ({ x: random.values([1], [-3]) }) },
    { name: 'odd length', attrs: {}, inputs: (random) => ({ x: random.normal([700], 0.01) }) },
    {
      name: 'more than one round',
      attrs: {},
      inputs: (random) => ({ x: random.normal([1024 * 256 + 1000]) }),
    },
  ],
});
