/**
 * Adds several metrics of a micro-batch to the sums of its step at once: the columns of a matrix
 * that an operation gives per token, such as the statistics of `clipped_ratio`. `weighted_sum` does
 * so for one value per token.
 */
import { matMul, pad, reshape } from '@tensorflow/tfjs-core';
import { dispatch, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpCase } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './weighted_columns.wgsl?raw';

export interface WeightedColumnsAttrs {
  /** Number of elements of `sums`. */
  size: number;
  /** The element that collects the first column; the others follow. */
  index: number;
}

type Input = 'weights' | 'x';

const columnsCase = (
  n: number,
  columns: number,
  attrs: WeightedColumnsAttrs,
): OpCase<Input, WeightedColumnsAttrs> => ({
  name: `${n} rows of ${columns} from element ${attrs.index} of ${attrs.size}`,
  attrs,
  inputs: (random) => {
    const weights = Array.from({ length: n }, (_, i) => (i % 5 === 3 ? 0 : 1 / n));
    return { weights: random.values([n], weights), x: random.normal([n, columns], 1, 4) };
  },
});

/**
 * weights [N], x [N, columns] -> sums [size]: the weighted sum of each column from `index` on, zeros
 * elsewhere. The output accumulates, so that with an existing `sums` only those elements change. Sums
 * are taken in a fixed order. The operation has no gradient.
 */
export const weightedColumns = defineOp({
  name: 'weighted_columns',
  inputs: ['weights', 'x'],
  outputs: ['sums'],
  oracle: ({ weights, x }, { size, index }: WeightedColumnsAttrs) => {
    const [n, columns] = dims2(x.shape);
    const sums = zeros([size]);
    for (let i = 0; i < n; i++)
      for (let c = 0; c < columns; c++)
        sums.data[index + c] = at(sums, index + c) + at(weights, i) * at(x, i * columns + c);
    return { sums };
  },
  reference: ({ weights, x }, { size, index }) => {
    const [n, columns] = dims2(x.shape);
    const row = matMul(reshape(weights, [1, n]), reshape(x, [n, columns]));
    return { sums: pad(reshape(row, [columns]), [[index, size - index - columns]]) };
  },
  kernel: ({ weights, x }, { size, index }, { sums: into }) => {
    const [n, columns] = dims2(x.shape);
    const sums = into ?? output([size]);
    dispatch({
      name: 'weighted_columns',
      code: workgroupSum + code,
      constants: { ADD: into ? 1 : 0, WORKGROUP: 256 },
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['u32', n],
        ['u32', columns],
        ['u32', size],
        ['u32', index],
      ],
      workgroups: [1, 1, 1],
    });
    return { sums };
  },
  processor: ({ weights, x }, { size, index }, { sums: into }) => {
    const [n, columns] = dims2(x.shape);
    const sums = into ?? output([size]);
    runOnProcessor({
      kernel: 'weighted_columns',
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['i32', n],
        ['i32', columns],
        ['i32', size],
        ['i32', index],
        ['i32', into ? 1 : 0],
      ],
    });
    return { sums };
  },
  accumulates: ['sums'],
  gradient: null,
  bench: ({ N }, inputs) => [
    {
      attrs: { size: 5, index: 1 },
      inputs: { weights: inputs.full(1 / N, N), x: inputs.normal(N, 4) },
    },
  ],
  cases: [
    columnsCase(300, 4, { size: 5, index: 1 }),
    columnsCase(7, 2, { size: 2, index: 0 }),
    columnsCase(1, 1, { size: 3, index: 2 }),
  ],
});
