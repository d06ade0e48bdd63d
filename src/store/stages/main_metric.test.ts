import { expect, it } from 'vitest';
import { MetricTable } from '../columns.ts';
import { mainMetric } from './main_metric.ts';
import { savedRun } from './testing_saved_run.ts';

it('a stage that is judged by its metrics has no number until they are read', () => {
  for (const objective of ['sft', 'reward', 'dpo', 'ppo', 'grpo'])
    expect(mainMetric(savedRun('a', null, objective), undefined)).toBeNull();
  expect(mainMetric(savedRun('a', null, 'pretrain'), undefined)?.label).toBe('validation loss');
});

it('a stage without its own metric has its validation loss, unless a reward is its score', () => {
  const none = new MetricTable();
  expect(mainMetric(savedRun('a', null, 'sft'), none)?.label).toBe('validation loss');
  expect(mainMetric(savedRun('a', null, 'ppo'), none)).toBeNull();
});
