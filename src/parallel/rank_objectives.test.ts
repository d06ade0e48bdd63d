/** Objectives after pretraining on several ranks against one, on the engine in Node; dropout is on. */
import { beforeAll, describe, test } from 'vitest';
import type { Mesh } from '../common/index.ts';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import { findObjective } from '../objectives/index.ts';
import { startEngine } from '../testing/node_engine.ts';
import { pairsData, TOY_ROW_LENGTH, TOY_VOCAB, toyPairs } from '../testing/toy_pairs.ts';
import {
  type Changes,
  expectSameBits,
  expectSameEvaluation,
  expectWithin,
  type RanksRun,
  smallConfig,
  trainRanks,
} from './testing_ranks.ts';

beforeAll(startEngine);

const STEPS = 5;

/** Chosen answers of the pairs are the examples of SFT. */
const data = {
  ...pairsData(toyPairs(40, 1), toyPairs(8, 2), TOY_ROW_LENGTH),
  examples: { train: chosen(40, 1), val: chosen(8, 2) },
};

function chosen(count: number, seed: number) {
  return toyPairs(count, seed).map((pair) => pair.chosen);
}

interface Learned extends Changes {
  stage: StageInput & { objective: 'sft' | 'reward' | 'dpo' };
}

async function train(
  { stage, model, training }: Learned,
  mesh: Partial<Mesh> = {},
): Promise<RanksRun> {
  const config = smallConfig({
    model: { n_embd: 16, block_size: TOY_ROW_LENGTH, ...model },
    training: { batch_size: 4, gradient_accumulation_steps: 2, ...training },
  });
  const objective = await findObjective(stage.objective);
  const run = { config, objective, data, stage: parseStage(stage), vocab_size: TOY_VOCAB };
  return trainRanks({ ...run, mesh, steps: STEPS, evaluate: true });
}

/** Trains on one rank and on each of these meshes, and expects them to agree within 1e-5. */
async function expectOneRank(learned: Learned, meshes: readonly Partial<Mesh>[]): Promise<void> {
  const oneRank = await train(learned);
  for (const mesh of meshes) {
    const many = await train(learned, mesh);
    const what = `${learned.stage.objective} ${JSON.stringify(mesh)}`;
    expectWithin(1e-5, oneRank, many, what);
    expectSameEvaluation(oneRank, many, what);
  }
}

/** ZeRO-2 and 3 add up the ranks of each micro-batch before its successor is added, so all do. */
async function expectSameZero(learned: Learned): Promise<void> {
  const mesh = { dp: 2, sync_each_batch: true } as const;
  const plain = await train(learned, mesh);
  for (const zero_stage of [1, 2, 3] as const)
    expectSameBits(plain, await train(learned, { ...mesh, zero_stage }));
}

const EVERY_KIND: readonly Partial<Mesh>[] = [
  { dp: 4 },
  { dp: 2, zero_stage: 3 },
  { tp: 2 },
  { pp: 2 },
  { dp: 2, tp: 2, zero_stage: 1 },
];

describe.each(['sft', 'reward', 'dpo'] as const)('%s', (objective) => {
  const stage = {
    objective,
    reward: { disable_dropout: false },
    dpo: { disable_dropout: false },
  };
  const learned: Learned = { stage };

  test('matches one rank within 1e-5 on every kind of mesh', () =>
    expectOneRank(learned, EVERY_KIND));

  test('has the same bits under every stage of ZeRO', () => expectSameZero(learned));
});

test('DPO on two interleaved pipelines, with its reference in stages, matches one rank', () => {
  const mesh = { dp: 2, pp: 2, schedule: 'interleaved', virtual_chunks: 2 } as const;
  const model = { n_layer: 4 };
  return expectOneRank({ stage: { objective: 'dpo' }, model }, [mesh]);
});

test.each(['gpt2', 'llama'] as const)(
  'adapters of %s, whose base is the reference, match one rank on every kind of mesh',
  async (layout) => {
    const stage = { objective: 'dpo', peft: { peft_type: 'lora', r: 4 } } as const;
    const learned: Learned = { stage, model: { layout } };
    await expectOneRank(learned, EVERY_KIND);
    await expectSameZero(learned);
  },
);
