/**
 * Adds several metrics of a micro-batch to the sums of its step in one dispatch: an objective stacks
 * one row per metric, with a value per pair or per sequence. `weighted_sum` adds a single metric.
 */
import { mul, sum } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpCase } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { threadsForRow, workgroupSum } from '../wgsl/index.ts';
import code from './weighted_row_sums.wgsl?raw';

type Input = 'weights' | 'x';

const caseOf = (rows: number, n: number): OpCase<Input, object> => ({
  name: `${rows} rows of ${n} values`,
  attrs: {},
  inputs: (random) => {
    const weights = Array.from({ length: n }, (_, i) => (i % 5 === 3 ? 0 : 1 / n));
    return { weights: random.values([n], weights), x: random.normal([rows, n], 1, 4) };
  },
});

/**
 * weights [n] and x [rows, n] -> sums [rows] of weights * x. The output accumulates. The sum is taken
 * in a fixed order. The operation has no gradient.
 */
export const weightedRowSums = defineOp({
  name: 'weighted_row_sums',
  inputs: ['weights', 'x'],
  outputs: ['sums'],
  oracle: ({ weights, x }, _: object) => {
    const [rows, n] = dims2(x.shape);
    const sums = zeros([rows]);
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < n; i++)
        sums.data[row] = at(sums, row) + at(weights, i) * at(x, row * n + i);
    return { sums };
  },
  reference: ({ weights, x }) => ({ sums: sum(mul(weights, x), 1) }),
  kernel: ({ weights, x }, _attrs, { sums: into }) => {
    const [rows, n] = dims2(x.shape);
    const sums = into ?? output([rows]);
    dispatch({
      name: 'weighted_row_sums',
      code: workgroupSum + code,
      constants: { ADD: into ? 1 : 0, WORKGROUP: threadsForRow(n) },
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['u32', n],
        ['u32', rows],
      ],
      workgroups: grid(rows),
    });
    return { sums };
  },
  processor: ({ weights, x }, _attrs, { sums: into }) => {
    const [rows, n] = dims2(x.shape);
    const sums = into ?? output([rows]);
    runOnProcessor({
      kernel: 'weighted_row_sums',
      writes: into ? [] : [sums],
      updates: into ? [into] : [],
      reads: [weights, x],
      params: [
        ['i32', n],
        ['i32', rows],
        ['i32', into ? 1 : 0],
      ],
    });
    return { sums };
  },
  accumulates: ['sums'],
  gradient: null,
  bench: ({ B }, inputs) => [
    { attrs: {}, inputs: { weights: inputs.full(1 / B, B), x: inputs.normal(7, B) } },
  ],
  cases: [caseOf(7, 32), caseOf(3, 300), caseOf(1, 1)],
});
