/** Objectives after pretraining under data parallelism and ZeRO, on the engine in Node. */
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { findObjective } from '../objectives/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { pairsData, TOY_ROW_LENGTH, TOY_VOCAB, toyPairs } from '../testing/toy_pairs.ts';
import { expectSameBits, expectWithin, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const STEPS = 5;

test('a reward model, whose rows name their last tokens, under DP and ZeRO', async () => {
  const stage = parseStage({ reward: { disable_dropout: false } });
  const data = pairsData(toyPairs(40, 1), toyPairs(8, 2), TOY_ROW_LENGTH);
  const model = { n_embd: 16, block_size: TOY_ROW_LENGTH };
  const run = {
    config: smallConfig({ model, training: { batch_size: 4 } }),
    objective: await findObjective('reward'),
    ...{ stage, data, steps: STEPS, vocab_size: TOY_VOCAB, evaluate: true },
  };
  const one = await trainRanks(run);
  const dp = await trainRanks({ ...run, mesh: { dp: 2 } });
  expectWithin(1e-5, one, dp, 'reward, dp 2');
  expect(dp.evaluation['val/loss']).toBeCloseTo(one.evaluation['val/loss'] ?? NaN, 5);
  for (const zero_stage of [1, 2, 3] as const)
    expectSameBits(dp, await trainRanks({ ...run, mesh: { dp: 2, zero_stage } }));
});

test.each(['gpt2', 'llama'] as const)(
  'adapters of %s under DP, ZeRO, TP and PP',
  async (layout) => {
    const stage = parseStage({ peft: { peft_type: 'lora', r: 4 } });
    const model = { layout, n_embd: 16, block_size: TOY_ROW_LENGTH };
    const training = { batch_size: 4, gradient_accumulation_steps: 2 };
    const run = {
      config: smallConfig({ model, training }),
      objective: await findObjective('sft'),
      data: examplesData(),
      ...{ stage, steps: STEPS, vocab_size: TOY_VOCAB, evaluate: true },
    };
    const one = await trainRanks(run);
    for (const mesh of [{ dp: 2 }, { tp: 2 }, { pp: 2 }, { dp: 2, zero_stage: 3 }] as const)
      expectWithin(1e-5, one, await trainRanks({ ...run, mesh }), JSON.stringify(mesh));
  },
);

/** The chosen answers of toy pairs. */
function examplesData() {
  const data = pairsData([], [], TOY_ROW_LENGTH);
  const of = (count: number, seed: number) => toyPairs(count, seed).map(({ chosen }) => chosen);
  return { ...data, examples: { train: of(40, 1), val: of(8, 2) } };
}
