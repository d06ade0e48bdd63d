/**
 * GRPO and PPO on several ranks against one rank, on the engine in Node. Rounding must not grow within
 * the steps of a test, so a value model that starts from a reward model has the Llama layout here: in
 * a GPT-2 of this size, some steps get most of their gradient from one token at one position of the
 * value model, and a difference of 1e-7 becomes 1e-3 in 30 steps. One that starts from the policy does
 * not need that, nor does a GPT-2 that is twice as wide.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { tensorCount } from '../backend/index.ts';
import type { Mesh, RolloutRecord } from '../common/index.ts';
import type { StageInput } from '../config/stage/index.ts';
import { startEngine } from '../testing/node_engine.ts';
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
import {
  expectSameBits,
  expectWithinExceptKeyBiases,
  type RanksRun,
  trainRanks,
} from './testing_ranks.ts';

const STEPS = 30;
/** Where every bit is compared. */
const FEWER_STEPS = 9;

beforeAll(startEngine);

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

/** Answers of the first phase, whose log-probabilities have the same bits on every mesh of DP. */
const firstRecords = ({ records }: RolloutRun) => records.filter(({ step }) => step === 0);

/** Losses, norms, weights, sampled tokens, and the metrics of every step and of the evaluation. */
function expectSameRun(oneRank: RolloutRun, many: RolloutRun, what: string): void {
  expectWithinExceptKeyBiases(1e-5, oneRank, many, what);
  const idsOf = ({ records }: RolloutRun) => records.map(({ completion_ids }) => completion_ids);
  expect(oneRank.records, what).not.toEqual([]);
  expect(idsOf(many), what).toEqual(idsOf(oneRank));
  const rows = (run: RolloutRun) => [...run.metrics, run.evaluation];
  rows(oneRank).forEach((row, step) => {
    for (const [name, value = NaN] of Object.entries(row)) {
      expect(rows(many)[step]?.[name], `${what}: ${name} of step ${step}`).toBeCloseTo(value, 4);
    }
  });
}

describe('GRPO', () => {
  const data = reversalData();
  const grpo = { num_generations: 4, max_completion_length: 4, num_iterations: 2, beta: 0.05 };
  const training = { batch_size: 8, learning_rate: 1e-3, gradient_accumulation_steps: 2 };
  const run: ToyRlRun = { stage: { objective: 'grpo', grpo }, data, training };

  beforeAll(async () => {
    run.from = startOf(await trained({ stage: { objective: 'sft' }, data }, 40));
  });

  test.each([
    { loss_type: 'bnpo', scale_rewards: 'batch' },
    { loss_type: 'dapo', mask_truncated_completions: true, temperature: 1.5 },
  ] as const)('two and four ranks match one rank within 1e-5: $loss_type', async (choices) => {
    const stage: StageInput = { objective: 'grpo', grpo: { ...grpo, ...choices } };
    const oneRank = await train({ ...run, stage });
    for (const dp of [2, 4]) {
      const many = await train({ ...run, stage }, { dp });
      expectSameRun(oneRank, many, `GRPO, ${choices.loss_type}, dp ${dp}`);
      // A row of the forward pass has the same bits whatever the number of rows.
      expect(firstRecords(many)).toEqual(firstRecords(oneRank));
    }
  });

  test('tensor parallelism with ZeRO-3 matches one rank within 1e-5', async () => {
    const mesh: Partial<Mesh> = { dp: 2, tp: 2, zero_stage: 3 };
    const many = await train(run, mesh, FEWER_STEPS);
    expectSameRun(await train(run, {}, FEWER_STEPS), many, 'GRPO, dp 2, tp 2, ZeRO-3');
  });

  test('a pipeline, whose stages are gathered for rollouts, matches one rank within 1e-5', async () => {
    const mesh: Partial<Mesh> = { dp: 2, pp: 2 };
    const many = await train(run, mesh, FEWER_STEPS);
    expectSameRun(await train(run, {}, FEWER_STEPS), many, 'GRPO, dp 2, pp 2');
  });

  test('answers are sampled with the adapters as they are trained', async () => {
    const stage: StageInput = { ...run.stage, peft: { peft_type: 'lora', r: 4, lora_dropout: 0 } };
    const lora = { ...run, stage, training: { ...training, learning_rate: 1e-2 } };
    const oneRank = await train(lora, {}, FEWER_STEPS);
    for (const mesh of [
      { dp: 2, tp: 2 },
      { dp: 2, zero_stage: 3 },
    ] as const) {
      const many = await train(lora, mesh, FEWER_STEPS);
      expectSameRun(oneRank, many, `GRPO with LoRA, ${JSON.stringify(mesh)}`);
    }
  });

  test('every stage of ZeRO matches data parallelism bit for bit', () => expectSameZero(run));
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

  test('two and four ranks match one rank within 1e-5', async () => {
    const oneRank = await train(run);
    for (const dp of [2, 4]) {
      const many = await train(run, { dp });
      expectSameRun(oneRank, many, `PPO, dp ${dp}`);
      expect(firstRecords(many)).toEqual(firstRecords(oneRank));
    }
  });

  test('tensor parallelism of all four models matches one rank within 1e-5', async () => {
    const many = await train(run, { tp: 2 }, FEWER_STEPS);
    expectSameRun(await train(run, {}, FEWER_STEPS), many, 'PPO, tp 2');
  });

  test('pipelines whose stages hold layers of all four models match one rank within 1e-5', async () => {
    const oneRank = await train(run, {}, FEWER_STEPS);
    for (const mesh of [
      { dp: 2, pp: 2, zero_stage: 1 },
      { tp: 2, pp: 2, schedule: 'gpipe' },
    ] as const) {
      const many = await train(run, mesh, FEWER_STEPS);
      expectSameRun(oneRank, many, `PPO, ${JSON.stringify(mesh)}`);
    }
  });

  test('a pipeline whose policy has a head of its own matches one rank bit for bit', async () => {
    const untied = { ...run, model: { ...model, tie_word_embeddings: false } };
    const oneRank = await train(untied, {}, FEWER_STEPS);
    const many = await train(untied, { pp: 2 }, FEWER_STEPS);
    expectSameBits(oneRank, many);
    expect(many.records).toEqual(oneRank.records);
    expect(many.metrics).toEqual(oneRank.metrics);
    expect(many.evaluation).toEqual(oneRank.evaluation);
  });

  test('a GPT-2 whose answers code scores matches one rank within 1e-5 on every kind of mesh', async () => {
    const from = startOf(await trained({ stage: { objective: 'sft' }, data }, 60));
    const stage: StageInput = { objective: 'ppo', ppo: { ...ppo, score: 'task' } };
    const gpt2: ToyRlRun = { stage, data, training, from };
    const oneRank = await train(gpt2, {}, FEWER_STEPS);
    for (const mesh of [{ dp: 2, zero_stage: 3 }, { tp: 2 }, { pp: 2 }] as const) {
      const many = await train(gpt2, mesh, FEWER_STEPS);
      expectSameRun(oneRank, many, `PPO of a GPT-2, ${JSON.stringify(mesh)}`);
    }
  });

  test('adapters of the policy train beside the whole value model', async () => {
    const stage: StageInput = { ...run.stage, peft: { peft_type: 'lora', r: 4, lora_dropout: 0 } };
    const oneRank = await train({ ...run, stage }, {}, FEWER_STEPS);
    const many = await train({ ...run, stage }, { dp: 2, zero_stage: 3 }, FEWER_STEPS);
    expectSameRun(oneRank, many, 'PPO with LoRA, dp 2, ZeRO-3');
  });

  test('every stage of ZeRO matches data parallelism bit for bit', () => expectSameZero(run));

  test('one rank continues a run of four ranks under ZeRO-3 in the middle of a phase', async () => {
    const saved = await train(run, { dp: 4, zero_stage: 3 }, 6);
    expect(saved.state.objective_tensors?.has('source.rows')).toBe(true);
    const oneRank = await toyRlTrainer({ ...run, from: saved.state });
    const continued = await takeSteps(oneRank, FEWER_STEPS - 6);
    oneRank.dispose();
    const { losses } = await train(run, {}, FEWER_STEPS);
    continued.forEach((row, i) => {
      expect(row['train/loss'], `step ${6 + i}`).toBeCloseTo(losses[6 + i] ?? NaN, 5);
    });
  });
});

/** With one micro-batch: ZeRO-2 and 3 add up the ranks of each one before its successor is added. */
async function expectSameZero(run: ToyRlRun): Promise<void> {
  const single = { ...run, training: { ...run.training, gradient_accumulation_steps: 1 } };
  const plain = await train(single, { dp: 4 }, FEWER_STEPS);
  const before = await tensorsLeft();
  for (const zero_stage of [1, 2, 3] as const) {
    const sharded = await train(single, { dp: 4, zero_stage }, FEWER_STEPS);
    expect(await tensorsLeft()).toBe(before);
    expectSameBits(plain, sharded);
    expect(sharded.records).toEqual(plain.records);
    expect(sharded.evaluation).toEqual(plain.evaluation);
  }
}

/** Programs are disposed of when their compilation is known to have ended. */
async function tensorsLeft(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  return tensorCount();
}
