/** Tensor parallelism against one rank, on the engine in Node. Dropout is on. */
import { beforeAll, describe, expect, test } from 'vitest';
import { startEngine } from '../testing/node_engine.ts';
import type { TrainerState } from '../train/index.ts';
import {
  type Changes,
  expectSameEvaluation,
  expectWithin,
  smallConfig,
  trainRanks,
} from './testing_ranks.ts';

beforeAll(startEngine);

const STEPS = 50;
const RTOL = 1e-5;

type ModelChanges = NonNullable<Changes['model']>;
const GPT2: ModelChanges = { bias: true };
/** Grouped heads, whose query and key norms get partial gradients on each rank. */
const LLAMA: ModelChanges = {
  ...{ layout: 'llama', activation_function: 'silu', n_kv_head: 2, qk_norm: true, qkv_bias: true },
};

function configOf(model: ModelChanges, training: Changes['training'] = {}) {
  return smallConfig({ model, training: { grad_clip: 0.5, seed: 1, ...training } });
}

describe('matches one rank within 1e-5', () => {
  test('GPT-2 with biases, with and without activation checkpointing', async () => {
    const run = { config: configOf(GPT2), steps: STEPS, evaluate: true };
    const oneRank = await trainRanks(run);
    const four = await trainRanks({ ...run, mesh: { tp: 4 } });
    expectWithin(RTOL, oneRank, four, 'tp 4');
    expect(oneRank.evaluation['val/accuracy']).toBeGreaterThan(0);
    expectSameEvaluation(oneRank, four, 'tp 4');
    const config = configOf(GPT2, { activation_checkpointing: true });
    const two = await trainRanks({ ...run, config, mesh: { tp: 2 } });
    expectWithin(RTOL, oneRank, two, 'tp 2 with activation checkpointing');
    expectSameEvaluation(oneRank, two, 'tp 2 with activation checkpointing');
  });

  test('Llama with grouped heads and QK-norm, also with data parallelism and ZeRO', async () => {
    const config = configOf(LLAMA, { batch_size: 4, gradient_accumulation_steps: 2 });
    const run = { config, steps: STEPS };
    const oneRank = await trainRanks(run);
    for (const mesh of [
      { tp: 2 },
      { tp: 2, dp: 2 },
      { tp: 2, dp: 2, zero_stage: 1 },
      { tp: 2, dp: 2, zero_stage: 2 },
      { tp: 2, dp: 2, zero_stage: 3 },
    ] as const) {
      const ranks = await trainRanks({ ...run, mesh });
      expectWithin(RTOL, oneRank, ranks, JSON.stringify(mesh));
    }
  });

  test('an untied head, and a vocabulary that the ranks cannot share out evenly', async () => {
    const model = { ...LLAMA, n_kv_head: 4, tie_word_embeddings: false };
    const training = { activation_checkpointing: true };
    const run = { config: configOf(model, training), steps: STEPS, vocab_size: 50 };
    const oneRank = await trainRanks({ ...run, evaluate: true });
    const four = await trainRanks({ ...run, evaluate: true, mesh: { tp: 4 } });
    expectWithin(RTOL, oneRank, four, 'tp 4, 50 tokens');
    expectSameEvaluation(oneRank, four, 'tp 4, 50 tokens');
  });

  test('each stage of a pipeline', async () => {
    const config = configOf(GPT2, { batch_size: 4, gradient_accumulation_steps: 2 });
    const run = { config, steps: 10 };
    const mesh = { tp: 2, pp: 2, schedule: '1f1b' } as const;
    expectWithin(RTOL, await trainRanks(run), await trainRanks({ ...run, mesh }), 'tp 2, pp 2');
  });

  test('without dropout', async () => {
    const run = { config: configOf({ ...GPT2, dropout: 0 }), steps: 10 };
    const two = await trainRanks({ ...run, mesh: { tp: 2 } });
    expectWithin(RTOL, await trainRanks(run), two, 'tp 2 without dropout');
  });
});

test('one rank continues a checkpoint of two ranks, and eight ranks a checkpoint of one', async () => {
  const run = { config: configOf(GPT2), steps: 10 };
  const oneRank = await trainRanks({ ...run, steps: 20 });
  const half = await trainRanks(run);
  const [begun, four] = [
    await trainRanks({ ...run, mesh: { tp: 2 } }),
    await trainRanks({ ...run, mesh: { tp: 4, dp: 2, zero_stage: 1 }, from: half.state }),
  ];
  const shapes = (state: TrainerState) =>
    [...state.parameters, ...state.optimizer].map(([name, { length }]) => [name, length]).sort();
  expect(shapes(begun.state)).toEqual(shapes(half.state));
  const continued = await trainRanks({ ...run, from: begun.state });
  for (const { losses, norms, state } of [continued, four]) {
    const whole = { ...oneRank, losses: oneRank.losses.slice(10), norms: oneRank.norms.slice(10) };
    expectWithin(RTOL, whole, { ...whole, losses, norms, state }, 'continued');
  }
});

describe('bytes that a rank sends in a step', () => {
  test.each([
    ['gpt2', GPT2, 0],
    ['llama', LLAMA, 2],
  ] as const)('follow from the shapes (%s)', async (_, changes, partial) => {
    for (const activation_checkpointing of [false, true]) {
      const config = configOf(changes, { activation_checkpointing });
      const { trainers } = await trainRanks({ config, steps: 1, mesh: { tp: 2 } });
      const { n_layer, n_embd, n_head, block_size } = config.model;
      const tokens = config.training.batch_size * block_size;
      // A branch of a layer: forward, backward, and forward again if activations are recomputed.
      const inLayers = n_layer * 2 * (activation_checkpointing ? 3 : 2);
      // Forward after the embedding, and backward before the head.
      const allReduces = inLayers + 2;
      const bytes = (values: number): number => 2 * ((2 - 1) / 2) * 4 * values;
      // Sums of the step, the wish to pause, and gradients that every rank has a part of.
      const small = 2 + 1 + partial * n_layer * (n_embd / n_head);
      for (const { recorder } of trainers) {
        expect(recorder.bytes.all_reduce).toBe(allReduces * bytes(tokens * n_embd) + 4 * small);
        // The states of the cross-entropy, four values a token, and the squared norms, in float64.
        const parameters = recorder.bytes.all_gather - 4 * 4 * tokens;
        expect(parameters % (8 * 2)).toBe(0);
        expect(parameters).toBeLessThan(8 * 2 * 40);
      }
    }
  });
});
