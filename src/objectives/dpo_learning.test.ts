/**
 * DPO learns the preference that the page generates, on the engine: stories that keep what was asked
 * over stories that break it, with a tenth of the labels swapped. It starts from a model that tells
 * stories well enough to copy from its prompt. (A reward model of this size learns it within seconds
 * for some seeds only; learning.test.ts has an easier one.)
 */
import { beforeAll, expect, it } from 'vitest';
import { startEngine } from '../testing/node_engine.ts';
import {
  labBase,
  type LabChanges,
  labConfig,
  type LabRun,
  labStage,
} from '../testing/stage_lab.ts';

function training(learning_rate: number, max_iters: number, changes: object = {}): LabChanges {
  const rates = { learning_rate, min_lr: learning_rate / 20, warmup_iters: 20, beta2: 0.99 };
  const sizes = { batch_size: 16, max_iters, eval_interval: max_iters, eval_iters: 20, seed: 1 };
  return {
    training: { lr_schedule: 'cosine', ...rates, ...sizes, ...changes },
    sampling: { sample_interval: 0, max_new_tokens: 4 },
  };
}

let storyteller: LabRun;

beforeAll(async () => {
  await startEngine();
  const base = await labBase(
    labConfig({
      ...training(4e-3, 1, { eval_iters: 1 }),
      data: { corpus: 'tiny_tales' },
      tokenizer: { kind: 'bpe', vocab_size: 1024 },
      model: { layout: 'gpt2', n_layer: 2, n_head: 4, n_embd: 32, block_size: 64, dropout: 0 },
    }),
  );
  storyteller = await labStage({
    parent: base,
    stage: {
      objective: 'sft',
      dataset: { task: 'tales', ask: 'stories', size: 10_000, eval_size: 64 },
    },
    changes: training(8e-3, 700, { lr_schedule: 'constant', eval_iters: 2 }),
  });
}, 120_000);

it('DPO ranks over 75 % of held-out pairs, with a margin above 0', async () => {
  const { rows } = await labStage({
    parent: storyteller,
    stage: {
      objective: 'dpo',
      dataset: { preference: 'constraint', size: 2000, eval_size: 320, label_noise: 0.1 },
    },
    changes: training(2e-3, 30),
  });
  const [before, after] = [rows[0], rows.at(-1)];
  console.log(storyteller.rows.at(-1), before, after);
  expect(before?.['val/loss']).toBeCloseTo(Math.LN2, 5);
  expect(before?.['val/rewards/accuracies']).toBeLessThan(0.65);
  expect(after?.['val/rewards/accuracies']).toBeGreaterThan(0.75);
  expect(after?.['val/rewards/margins']).toBeGreaterThan(0);
});
