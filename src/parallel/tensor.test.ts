/** Tensor parallelism against one rank, on the engine in Node. Dropout is on. */
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import {
  type Changes,
  expectWithin,
  type RanksRun,
  smallConfig,
  trainRanks,
} from './testing_ranks.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const STEPS = 50;
const RTOL = 1e-5;

type ModelChanges = NonNullable<Changes['model']>;
const GPT2: ModelChanges = { bias: true };
/** Grouped heads, whose query and key norms get partial gradients on each rank. */
const LLAMA: ModelChanges = {
  ...{ layout: 'llama', activation_function: 'silu', n_kv_head: 2, qk_norm: true, qkv_bias: true },
};

function configOf(model: ModelChanges, training: Changes['training'] = {}) {
  return smallConfig({ model, training: { grad_clip: 0.5, ...training } });
}

function expectSameEvaluation(one: RanksRun, other: RanksRun): void {
  for (const name of ['val/loss', 'val/accuracy'] as const) {
    expect(other.evaluation[name]).toBeCloseTo(one.evaluation[name] ?? NaN, 5);
  }
  expect(one.evaluation['val/accuracy']).toBeGreaterThan(0);
}

describe('trains as one rank does, within 1e-5', () => {
  test('GPT-2 with biases, with and without activation checkpointing', async () => {
    const run = { config: configOf(GPT2), steps: STEPS, evaluate: true };
    const one = await trainRanks(run);
    const four = await trainRanks({ ...run, mesh: { tp: 4 } });
    expectWithin(RTOL, one, four, 'tp 4');
    expectSameEvaluation(one, four);
    const config = configOf(GPT2, { activation_checkpointing: true });
    const two = await trainRanks({ ...run, config, mesh: { tp: 2 } });
    expectWithin(RTOL, one, two, 'tp 2 with activation checkpointing');
    expectSameEvaluation(one, two);
  });

  test('Llama with grouped heads and QK-norm, also with data parallelism and ZeRO', async () => {
    const config = configOf(LLAMA, { batch_size: 4, gradient_accumulation_steps: 2 });
    const run = { config, steps: STEPS };
    const one = await trainRanks(run);
    for (const mesh of [
      { tp: 2 },
      { tp: 2, dp: 2 },
      { tp: 2, dp: 2, zero_stage: 1 },
      { tp: 2, dp: 2, zero_stage: 3 },
    ] as const) {
      const ranks = await trainRanks({ ...run, mesh });
      expectWithin(RTOL, one, ranks, JSON.stringify(mesh));
    }
  });

  test('an untied head, and a vocabulary that the ranks cannot share out evenly', async () => {
    const model = { ...LLAMA, n_kv_head: 4, tie_word_embeddings: false };
    const training = { activation_checkpointing: true };
    const run = { config: configOf(model, training), steps: STEPS, vocab_size: 50 };
    const one = await trainRanks({ ...run, evaluate: true });
    const four = await trainRanks({ ...run, evaluate: true, mesh: { tp: 4 } });
    expectWithin(RTOL, one, four, 'tp 4, 50 tokens');
    expectSameEvaluation(one, four);
  });

  test('without dropout', async () => {
    const run = { config: configOf({ ...GPT2, dropout: 0 }), steps: 10 };
    const two = await trainRanks({ ...run, mesh: { tp: 2 } });
    expectWithin(RTOL, await trainRanks(run), two, 'tp 2 without dropout');
  });
});
