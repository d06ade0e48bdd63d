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
