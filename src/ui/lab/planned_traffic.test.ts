import { expect, test } from 'vitest';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import { parseStage, type StageInput } from '../../config/stage/index.ts';
import { ONE_RANK, trainingOf, type TrafficRun } from '../../plan/parallel/index.ts';
import { MetricTable } from '../../store/columns.ts';
import { plannedStep, purposesOf, valueAt } from './planned_traffic.ts';

const config = defaultConfig();

function runOf(stage: StageInput | null): TrafficRun {
  return {
    mesh: { ...ONE_RANK, dp: 2, tp: 2 },
    model: resolveModel(config.model, 96),
    training: trainingOf(config),
    stage: stage && parseStage(stage),
    row_length: 32,
  };
}

const taken = { first_step: 0, train_pairs: 1000 };
const notesOf = (stage: StageInput | null, step: number, answer_tokens?: number): string =>
  plannedStep(runOf(stage), { ...taken, step, answer_tokens }).notes;

test('the notes say whether a step samples, and whether the lengths of answers are known', () => {
  const stage: StageInput = {
    objective: 'grpo',
    grpo: { max_completion_length: 8, num_iterations: 2 },
  };
  expect(notesOf(stage, 0, 3.5)).toContain('their mean length, 3.50 tokens. The other 1 of 2');
  expect(notesOf(stage, 2)).toContain('answers of 8 tokens, the longest that are allowed');
  expect(notesOf(stage, 1)).toContain('learned from answers of an earlier one');
  expect(plannedStep(runOf(stage), null).notes).toContain('an upper bound');
  expect(notesOf(null, 0)).toBe('');
});

test('the notes say what the reference of DPO adds', () => {
  expect(notesOf({ objective: 'dpo' }, 0)).toContain('meets for the first time; later ones');
  expect(notesOf({ objective: 'dpo' }, 1000)).toContain('A step that meets pairs');
});

test('traffic of all ranks is added up by purpose', () => {
  const { traffic } = plannedStep(runOf(null), null);
  const purposes = purposesOf(traffic);
  const gradients = traffic.filter(({ what }) => what === 'gradients');
  expect(gradients).toHaveLength(4);
  expect(purposes.find(({ what }) => what === 'gradients')?.bytes).toBeCloseTo(
    gradients.reduce((sum, { bytes }) => sum + bytes, 0),
  );
});

test('a metric is read at its own step', () => {
  const table = new MetricTable();
  table.append({ step: Float64Array.of(1, 3), length: Float64Array.of(5, 7) });
  expect(valueAt(table.get('length'), 3)).toBe(7);
  expect(valueAt(table.get('length'), 2)).toBeUndefined();
  expect(valueAt(table.get('other'), 3)).toBeUndefined();
});
