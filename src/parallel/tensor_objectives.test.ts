/** Objectives after pretraining under tensor parallelism, on the engine in Node. Dropout is on. */
import { beforeAll, expect, test } from 'vitest';
import { parseStage } from '../config/stage/index.ts';
import { byteTokenizer } from '../data/index.ts';
import { prepareStage } from '../data/stages/prepare.ts';
import { findObjective } from '../objectives/index.ts';
import { startEngine } from '../testing/node_engine.ts';
import { pairsData, TOY_ROW_LENGTH, TOY_VOCAB, toyPairs } from '../testing/toy_pairs.ts';
import { expectSameEvaluation, expectWithin, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(startEngine);

const CONTEXT = 48;
const STEPS = 5;

test('SFT on packed rows with dropout in the attention matches one rank, entropy included', async () => {
  const lines = Array.from({ length: 40 }, (_, i) =>
    JSON.stringify({ prompt: `${i} and ${i % 7}=`, completion: `${i + (i % 7)}` }),
  );
  const own = { name: 'own.jsonl', bytes: new TextEncoder().encode(lines.join('\n')) };
  const stage = parseStage({ dataset: { task: 'own' }, sft: { packing: true } });
  const tokenizer = byteTokenizer();
  const needs = 'examples' as const;
  const data = await prepareStage({ stage, needs, tokenizer, own, block_size: CONTEXT });
  const model = { n_embd: 16, block_size: CONTEXT };
  const run = {
    config: smallConfig({ model, training: { batch_size: 4 } }),
    objective: await findObjective('sft'),
    ...{ stage, data, steps: STEPS, vocab_size: data.chat.tokenizer.vocab_size, evaluate: true },
  };
  const oneRank = await trainRanks(run);
  const two = await trainRanks({ ...run, mesh: { tp: 2 } });
  expectWithin(1e-5, oneRank, two, 'sft');
  expect(oneRank.evaluation['val/entropy']).toBeGreaterThan(0);
  expectSameEvaluation(oneRank, two, 'sft');
  oneRank.metrics.forEach((row, step) => {
    expect(two.metrics[step]?.['train/entropy']).toBeCloseTo(row['train/entropy'] ?? NaN, 5);
  });
});

test('a reward model, whose scalar head every rank holds, matches one rank', async () => {
  const stage = parseStage({ reward: { disable_dropout: false } });
  const data = pairsData(toyPairs(40, 1), toyPairs(8, 2), TOY_ROW_LENGTH);
  const model = { n_embd: 16, block_size: TOY_ROW_LENGTH, tie_word_embeddings: false };
  const run = {
    config: smallConfig({ model, training: { batch_size: 4 } }),
    objective: await findObjective('reward'),
    ...{ stage, data, steps: STEPS, vocab_size: TOY_VOCAB },
  };
  const oneRank = await trainRanks(run);
  const two = await trainRanks({ ...run, mesh: { tp: 2 } });
  expectWithin(1e-5, oneRank, two, 'reward');
});
