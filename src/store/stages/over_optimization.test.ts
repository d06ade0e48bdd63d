import { describe, expect, it } from 'vitest';
import type { MetricColumns } from '../../protocol/index.ts';
import { MetricTable } from '../columns.ts';
import { rewardPoints, verdictOf } from './over_optimization.ts';

const tableOf = (columns: Record<string, readonly number[]>): MetricTable => {
  const table = new MetricTable();
  const read: MetricColumns = { step: new Float64Array() };
  for (const [name, values] of Object.entries(columns)) read[name] = Float64Array.from(values);
  table.append(read);
  return table;
};

const LEARNED = [0, NaN, 1, 2, 3];
const TRUTH = [0.4, NaN, 0.7, 0.9, 0.5];

describe('true and learned reward', () => {
  it('are read at the evaluations, with the KL from the reference', () => {
    const table = tableOf({
      step: [0, 5, 10, 20, 30],
      'val/reward': LEARNED,
      'val/true_reward': TRUTH,
      'val/kl': [0, NaN, 2, 5, 9],
    });
    expect(rewardPoints(table)).toEqual([
      { step: 0, kl: 0, learned: 0, truth: 0.4 },
      { step: 10, kl: 2, learned: 1, truth: 0.7 },
      { step: 20, kl: 5, learned: 2, truth: 0.9 },
      { step: 30, kl: 9, learned: 3, truth: 0.5 },
    ]);
  });

  it('have the KL of the latest step for GRPO, and none without a reference', () => {
    const columns = { step: [0, 5, 10], 'val/reward': [0, NaN, 1], 'val/true_reward': [0, NaN, 1] };
    const kls = (table: MetricTable) => rewardPoints(table).map(({ kl }) => kl);
    expect(kls(tableOf({ ...columns, kl: [NaN, 0.5, NaN] }))).toEqual([0, 0.5]);
    expect(kls(tableOf(columns))).toEqual([null, null]);
  });

  it('are not there where the truth is not known', () => {
    expect(rewardPoints(tableOf({ step: [0, 10], 'val/reward': [0, 1] }))).toEqual([]);
  });
});

describe('over-optimization', () => {
  const points = (learned: readonly number[], truth: readonly number[]) =>
    truth.map((value, i) => ({ step: i, kl: i, learned: learned[i] ?? NaN, truth: value }));

  it('is a true reward that falls while the learned one rises', () => {
    const verdict = verdictOf(points([0, 1, 2], [0.4, 0.9, 0.5]), 0.4);
    expect(verdict).toMatchObject({ over: true, best: { step: 1 }, last: { step: 2 } });
  });

  it.each([
    ['both rise', [0, 1, 2], [0.4, 0.6, 0.9]],
    ['both fall', [0, 2, 1], [0.4, 0.9, 0.5]],
    ['the fall may be chance', [0, 1, 2], [0.4, 0.9, 0.85]],
  ])('is not seen where %s', (_, learned, truth) => {
    expect(verdictOf(points(learned, truth), 0.4)?.over).toBe(false);
  });

  it('needs two evaluations', () => {
    expect(verdictOf(points([0], [0.4]), 0.4)).toBeNull();
  });
});
