import { expect, test } from 'vitest';
import { parseStage } from '../../../config/stage/index.ts';
import { beginsPhase, stepKind } from './step_kind.ts';

const dpo = parseStage({ objective: 'dpo' });
const batch = { batch_size: 4, gradient_accumulation_steps: 2 };

/** Micro-batches with new pairs in some steps, of ranks that were started before `first_step`. */
const newBatches = (train_pairs: number, first_step: number, steps: readonly number[]) =>
  steps.map((step) => stepKind(dpo, batch, { step, first_step, train_pairs }).new_batches);

test('the reference scores the pairs of the first epoch, the last ones with pairs that it knows', () => {
  expect(newBatches(12, 0, [0, 1, 2])).toEqual([2, 1, 0]);
  expect(newBatches(18, 0, [1, 2, 3])).toEqual([2, 1, 0]);
});

test('ranks that start within an epoch may meet new pairs until the end of the next one', () => {
  expect(newBatches(24, 3, [3, 4, 5, 6])).toEqual([2, 2, 2, 0]);
  expect(newBatches(24, 1, [1, 4, 5, 6])).toEqual([2, 2, 2, 0]);
});

test('GRPO and PPO sample in the first step of each phase, and nothing else does', () => {
  const grpo = parseStage({ objective: 'grpo', grpo: { num_iterations: 3 } });
  const ppo = parseStage({ objective: 'ppo', ppo: { num_ppo_epochs: 2, num_mini_batches: 2 } });
  const steps = [0, 1, 2, 3, 4];
  expect(steps.filter((step) => beginsPhase(grpo, step))).toEqual([0, 3]);
  expect(steps.filter((step) => beginsPhase(ppo, step))).toEqual([0, 4]);
  expect(steps.filter((step) => beginsPhase(dpo, step) || beginsPhase(null, step))).toEqual([]);
});
