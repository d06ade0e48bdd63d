import { expect, test } from 'vitest';
import { DEFAULT_OBJECTIVE } from '../../objectives/index.ts';
import type { StepResult } from '../../train/index.ts';
import { RankRecords } from './rank_records.ts';

const trainer = {
  step: 7,
  objective: DEFAULT_OBJECTIVE,
  skipped_steps: 0 as const,
  learningRateAt: () => 1e-3,
  tokensPerStep: 8,
  takeRollouts: () => [],
};
const result: StepResult = {
  step: 7,
  loss: 2,
  grad_norm: 1,
  ms: 500,
  metrics: {},
  skipped: false,
};

test('a run that is continued goes on from the time and the best loss of its checkpoint', () => {
  const records = new RankRecords(trainer, { elapsed_seconds: 100, best_val_loss: 1.5 });
  expect(records.step(result).seconds).toBe(100.5);
  records.evaluation({ 'val/loss': 1.75 });
  expect(records).toMatchObject({ seconds: 100.5, best: 1.5 });
  records.evaluation({ 'val/loss': 1.25 });
  expect(records.best).toBe(1.25);
});

test('a new run begins with neither', () => {
  const records = new RankRecords(trainer, null);
  expect(records).toMatchObject({ seconds: 0, best: null });
  records.step(result);
  records.evaluation({ 'val/loss': 1.75 });
  expect(records).toMatchObject({ seconds: 0.5, best: 1.75 });
});
