/** Sum over the rows: the gradient of a bias that was added to every row. Accumulates into the bias's gradient buffer. */
import { sum } from '@tensorflow/tfjs-core';
import { defineOp } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { columnSumKernel } from './kernels.ts';

/** x [N, d] -> sum [d]. */
export const columnSum = defineOp({
  name: 'column_sum',
  inputs: ['x'],
  outputs: ['sum'],
  oracle: ({ x }, _: object) => {
    const [n, d] = dims2(x.shape), total = zeros([d]);
    for (let j = 0; j < d; j++) for (let i = 0; i < n; i++) total.data[j] = at(total, j) + at(x, i * d + j);
    return { sum: total };
  },
  reference: ({ x }) => ({ sum: sum(x, 0) }),
  kernel: ({ x }, _, into) => ({ sum: columnSumKernel(x, into.sum) }),
  accumulates: ['sum'],
  gradient: null,
  cases: [[37, 96], [1, 7], [300, 5]].map(([n = 0, d = 0]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => ({ x: r.normal([n, d]) }) })),
});
