/**
 * GRPO and PPO on several ranks against one rank, on the engine in Node. Rounding must not grow within
 * the steps of a test, so the models have no biases (the gradient of the keys' bias is nothing but
 * rounding, which Adam turns into whole steps), and PPO's have the Llama layout: with GPT-2's, the norm
 * of this task's gradients jumps, and a difference of 1e-7 becomes 1e-3 in 30 steps.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import type { Mesh, RolloutRecord } from '../common/index.ts';
import type { StageInput } from '../config/stage/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import {
  favouriteData,
  reversalData,
  startOf,
  takeSteps,
  toyRlOptions,
  type ToyRlRun,
  toyRlTrainer,
} from '../testing/toy_rl.ts';
import type { TrainerState } from '../train/index.ts';
import { expectSameBits, expectWithin, type RanksRun, trainRanks } from './testing_ranks.ts';

const STEPS = 30;
/** Where every bit is compared. */
const FEWER_STEPS = 9;

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

/** The state after some steps on one rank. */
async function trained(run: ToyRlRun, steps: number): Promise<TrainerState> {
  const trainer = await toyRlTrainer(run);
  await takeSteps(trainer, steps);
  const state = await trainer.state();
  trainer.dispose();
  return state;
}

interface RolloutRun extends RanksRun {
  /** Answers in the order in which they were sampled. */
  records: RolloutRecord[];
}

async function train(run: ToyRlRun, mesh: Partial<Mesh> = {}, steps = STEPS): Promise<RolloutRun> {
  const options = await toyRlOptions(run);
  const trained = await trainRanks({ ...options, mesh, steps, evaluate: true });
  return { ...trained, records: trained.trainers[0]?.takeRollouts() ?? [] };
}

/** Losses, norms, weights, sampled tokens, and the metrics of every step and of the evaluation. */
function expectSameRun(one: RolloutRun, many: RolloutRun, what: string): void {
  expectWithin(1e-5, one, many, what);
  const idsOf = ({ records }: RolloutRun) => records.map(({ completion_ids }) => completion_ids);
  expect(idsOf(many), what).toEqual(idsOf(one));
  // A row of the forward pass has the same bits whatever the number of rows.
  const firstOf = ({ records }: RolloutRun) => records.filter(({ step }) => step === 0);
  expect(firstOf(many), what).toEqual(firstOf(one));
  const rows = (run: RolloutRun) => [...run.metrics, run.evaluation];
  rows(one).forEach((row, step) => {
    for (const [name, value = NaN] of Object.entries(row)) {
      expect(rows(many)[step]?.[name], `${what}: ${name} of step ${step}`).toBeCloseTo(value, 4);
    }
  });
}

describe('GRPO', () => {
  const data = reversalData();
  const model = { bias: false };
  const grpo = { num_generations: 4, max_completion_length: 4, num_iterations: 2, beta: 0.05 };
  const training = { batch_size: 8, learning_rate: 1e-3, gradient_accumulation_steps: 2 };
  const run: ToyRlRun = { stage: { objective: 'grpo', grpo }, data, training, model };

  beforeAll(async () => {
    run.from = startOf(await trained({ stage: { objective: 'sft' }, data, model }, 40));
  });

  test.each([
    { loss_type: 'bnpo', scale_rewards: 'batch' },
    { loss_type: 'dapo', mask_truncated_completions: true, temperature: 1.5 },
  ] as const)('two and four ranks are one rank within 1e-5: $loss_type', async (choices) => {
    const stage: StageInput = { objective: 'grpo', grpo: { ...grpo, ...choices } };
    const one = await train({ ...run, stage });
    for (const dp of [2, 4]) {
      const many = await train({ ...run, stage }, { dp });
      expectSameRun(one, many, `GRPO, ${choices.loss_type}, dp ${dp}`);
    }
  });

  test('every stage of ZeRO is data parallelism bit for bit', () => expectSameZero(run));
});

describe('PPO', () => {
  const data = favouriteData();
  const model = { layout: 'llama' as const };
  const ppo = {
    ...{ response_length: 6, num_ppo_epochs: 2, num_mini_batches: 2 },
    ...{ whiten_rewards: true, adap_kl_ctrl: true, target_kl: 0.5 },
  };
  const training = { batch_size: 8, learning_rate: 1e-3, gradient_accumulation_steps: 2 };
  const run: ToyRlRun = { stage: { objective: 'ppo', ppo }, data, training, model };

  beforeAll(async () => {
    const policy = await trained({ stage: { objective: 'sft' }, data, model }, 60);
    const reward = await trained({ stage: { objective: 'reward' }, data, model }, 60);
    run.from = startOf(policy, reward);
  });

  test('two and four ranks are one rank within 1e-5', async () => {
    const one = await train(run);
    for (const dp of [2, 4]) expectSameRun(one, await train(run, { dp }), `PPO, dp ${dp}`);
  });

  test('every stage of ZeRO is data parallelism bit for bit', () => expectSameZero(run));
});

/** With one micro-batch: ZeRO-2 and 3 add up the ranks of each one before its successor is added. */
async function expectSameZero(run: ToyRlRun): Promise<void> {
  const single = { ...run, training: { ...run.training, gradient_accumulation_steps: 1 } };
  const plain = await train(single, { dp: 4 }, FEWER_STEPS);
  for (const zero_stage of [1, 2, 3] as const) {
    const sharded = await train(single, { dp: 4, zero_stage }, FEWER_STEPS);
    expectSameBits(plain, sharded);
    expect(sharded.records).toEqual(plain.records);
    expect(sharded.evaluation).toEqual(plain.evaluation);
  }
}
