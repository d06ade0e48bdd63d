/** PPO and GRPO learn tiny tasks on the engine, and resume to the bit. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../testing/node_engine.ts';
import {
  evaluated,
  reversalData,
  startOf,
  takeSteps,
  favouriteData,
  type ToyRlRun,
  toyRlTrainer,
} from '../testing/toy_rl.ts';
import type { StageInput } from '../config/stage/index.ts';
import type { TrainerState } from '../train/index.ts';

beforeAll(startEngine);

/** Steps with a save after `first` of them, and the same without. */
async function resumed(run: ToyRlRun, first: number, rest: number) {
  const whole = await toyRlTrainer(run);
  await takeSteps(whole, first);
  const saved = await whole.state();
  const atOnce = await takeSteps(whole, rest);
  const again = await toyRlTrainer({ ...run, from: saved });
  // A save right after the resume must keep what the first one kept.
  const savedAgain = await again.state();
  const afterResume = await takeSteps(again, rest);
  const result = {
    saved,
    savedAgain,
    atOnce: { steps: atOnce, state: await whole.state() },
    afterResume: { steps: afterResume, state: await again.state() },
  };
  whole.dispose();
  again.dispose();
  return result;
}

/** The state after training a stage from scratch, as its children start from it. */
async function trained(run: ToyRlRun, steps: number) {
  const trainer = await toyRlTrainer(run);
  await takeSteps(trainer, steps);
  const state = await trainer.state();
  trainer.dispose();
  return state;
}

describe('GRPO', () => {
  const grpo = { num_generations: 8, max_completion_length: 4 };
  const sft = () => trained({ stage: { objective: 'sft' }, data: reversalData() }, 30);
  const training = { batch_size: 8, learning_rate: 1e-3 };

  it('raises the share of right answers by 5 points', async () => {
    const from = startOf(await sft());
    const data = reversalData();
    const stage: StageInput = { objective: 'grpo', grpo };
    const trainer = await toyRlTrainer({ stage, data, training, from });
    const before = await evaluated(trainer);
    const steps = await takeSteps(trainer, 60);
    const after = await evaluated(trainer);
    console.log('GRPO', before, after);
    expect(after['val/exact_match']).toBeGreaterThan((before['val/exact_match'] ?? NaN) + 0.05);
    const signal = steps.filter((row) => (row.frac_reward_zero_std ?? NaN) < 0.5);
    expect(signal.length).toBeGreaterThan(30);
    // The advantages of a group add up to 0, and every ratio is 1.
    for (const row of steps) expect(Math.abs((row['val/ratio'] ?? NaN) - 1)).toBeLessThan(1e-3);
    trainer.dispose();
  });

  it('resumes to the bit between two iterations of one phase', async () => {
    const stage: StageInput = {
      objective: 'grpo',
      grpo: { ...grpo, num_iterations: 3, beta: 0.1 },
    };
    const run = { stage, data: reversalData(), training, from: startOf(await sft()) };
    const { saved, savedAgain, atOnce, afterResume } = await resumed(run, 4, 4);
    expect(saved.objective_tensors?.has('source.rows')).toBe(true);
    expect(savedAgain).toEqual(saved);
    expect(afterResume).toEqual(atOnce);
  });

  it('trains adapters alone, whose rollouts have the ratio 1', async () => {
    const stage: StageInput = {
      objective: 'grpo',
      grpo: { ...grpo, beta: 0.05, temperature: 0.8 },
      peft: { peft_type: 'lora', r: 4 },
    };
    const from = startOf(await sft());
    const lora = { batch_size: 8, learning_rate: 1e-2, warmup_iters: 0 };
    const trainer = await toyRlTrainer({ stage, data: reversalData(), training: lora, from });
    const steps = await takeSteps(trainer, 6);
    for (const row of steps) expect(Math.abs((row['val/ratio'] ?? NaN) - 1)).toBeLessThan(1e-3);
    // The reference is the model without the adapters, which start at 0.
    expect(steps[0]?.kl).toBeCloseTo(0, 5);
    expect(steps.at(-1)?.kl).toBeGreaterThan(1e-5);
    const { parameters } = await trainer.state();
    expect(parameters).toEqual(from.parameters);
    trainer.dispose();
  });

  it('shows the latest answers token by token, and hands over what was sampled', async () => {
    const stage: StageInput = { objective: 'grpo', grpo };
    const from = startOf(await sft());
    const trainer = await toyRlTrainer({ stage, data: reversalData(), training, from });
    expect(await trainer.inspect()).toBeNull();
    await takeSteps(trainer, 1);
    const shown = await trainer.inspect();
    expect(shown?.rows).toHaveLength(64);
    const [row] = shown?.rows ?? [];
    expect(row?.tokens.slice(0, 3).map(({ mask }) => mask)).toEqual([0, 0, 0]);
    expect(row?.tokens[3]?.mask).toBe(1);
    const records = trainer.takeRollouts();
    expect(records).toHaveLength(64);
    expect(trainer.takeRollouts()).toEqual([]);
    for (const [i, record] of records.entries()) {
      const tokens = shown?.rows[i]?.tokens.slice(3) ?? [];
      expect(record.completion_ids).toEqual(tokens.map(({ id }) => id));
      expect(record.old_logps).toEqual(tokens.map(({ old_logp }) => old_logp));
      expect(record.advantage).toBe(shown?.rows[i]?.advantage);
    }
    trainer.dispose();
  });

  it('says in a sentence that no reward counts, that all are equal, or that one is no number', async () => {
    const data = reversalData();
    const none: StageInput = { objective: 'grpo', grpo, rewards: { correct: 0 } };
    await expect(toyRlTrainer({ stage: none, data, training })).rejects.toThrow(
      'No reward that these data can give has a weight',
    );
    const same = { name: 'correct', help: '', score: () => 1 };
    const learnsNothing = await toyRlTrainer({
      stage: { objective: 'grpo', grpo },
      data: { ...data, rewards: [same] },
      training,
    });
    await takeSteps(learnsNothing, 9);
    expect(learnsNothing.takeNotice()).toBeNull();
    await takeSteps(learnsNothing, 1);
    expect(learnsNothing.takeNotice()).toMatch(/^All answers to each prompt have had the same/);
    expect(learnsNothing.takeNotice()).toBeNull();
    learnsNothing.dispose();
    const broken = { name: 'correct', help: '', score: () => NaN };
    const stage: StageInput = { objective: 'grpo', grpo };
    const trainer = await toyRlTrainer({ stage, data: { ...data, rewards: [broken] }, training });
    await expect(takeSteps(trainer, 1)).rejects.toThrow('The reward “correct” of the answer');
    trainer.dispose();
    const long: StageInput = { objective: 'grpo', grpo: { ...grpo, max_completion_length: 14 } };
    await expect(toyRlTrainer({ stage: long, data, training })).rejects.toThrow(
      'The shortest prompt has 3 tokens and an answer may have 14',
    );
  });
});

describe('PPO', () => {
  const SCORE = 'reward.score.weight';
  const ppo = { response_length: 6, num_ppo_epochs: 2, num_mini_batches: 2, kl_coef: 0.02 };
  const stage: StageInput = { objective: 'ppo', ppo };
  const training = { batch_size: 16, learning_rate: 1e-3 };
  let from: TrainerState;

  beforeAll(async () => {
    const data = favouriteData();
    const policy = await trained({ stage: { objective: 'sft' }, data }, 100);
    const reward = await trained(
      { stage: { objective: 'reward' }, data, training: { batch_size: 32 } },
      150,
    );
    from = startOf(policy, reward);
  });

  it('raises the true reward by half a standard deviation', async () => {
    const trainer = await toyRlTrainer({ stage, data: favouriteData(), training, from });
    const before = await evaluated(trainer);
    await takeSteps(trainer, 80);
    const after = await evaluated(trainer);
    console.log('PPO', before, after);
    const gain = (after['val/true_reward'] ?? NaN) - (before['val/true_reward'] ?? NaN);
    expect(gain).toBeGreaterThan(0.5 * (before['val/true_reward_std'] ?? NaN));
    expect(before['val/kl']).toBeCloseTo(0, 4);
    expect(after['val/kl']).toBeGreaterThan(0);
    trainer.dispose();
  });

  it('resumes to the bit in the middle of a phase, with an adaptive coefficient', async () => {
    const adaptive: StageInput = {
      objective: 'ppo',
      ppo: { ...ppo, adap_kl_ctrl: true, target_kl: 0.5 },
    };
    const run = { stage: adaptive, data: favouriteData(), training, from };
    const { saved, savedAgain, atOnce, afterResume } = await resumed(run, 6, 5);
    expect(saved.objective_tensors?.has('source.rows')).toBe(true);
    expect(savedAgain).toEqual(saved);
    expect(afterResume).toEqual(atOnce);
    const coefficients = atOnce.steps.flatMap((row) => row['objective/kl_coef'] ?? []);
    expect(coefficients).toHaveLength(1);
    expect(coefficients[0]).not.toBe(ppo.kl_coef);
  });

  it('changes neither the reference nor the reward model by a bit', async () => {
    const trainer = await toyRlTrainer({ stage, data: favouriteData(), training, from });
    await takeSteps(trainer, 4);
    const { parameters, objective_tensors } = await trainer.state();
    for (const [name, before] of from.parameters) {
      expect(objective_tensors?.get(`reference.${name}`)?.data, name).toEqual(before);
      expect(parameters.get(name), name).not.toEqual(before);
    }
    for (const [name, { data }] of from.objective_tensors ?? []) {
      const after = objective_tensors?.get(name)?.data;
      if (name.startsWith('reward.')) expect(after, name).toEqual(data);
      else expect(after, name).not.toEqual(data);
    }
    trainer.dispose();
  });

  it('says in a sentence that the reward model gives a score that is no number', async () => {
    const head = { shape: [1, 32], data: new Float32Array(32).fill(NaN) };
    const objective_tensors = new Map([...(from.objective_tensors ?? []), [SCORE, head] as const]);
    const broken = { ...from, objective_tensors };
    const trainer = await toyRlTrainer({ stage, data: favouriteData(), training, from: broken });
    await expect(takeSteps(trainer, 1)).rejects.toMatchObject({
      code: 'no_reward',
      message: 'The reward model gave a score that is not a number.',
    });
    trainer.dispose();
  });

  it('learns from rewards in code, with a value model that starts from the policy', async () => {
    const task: StageInput = { objective: 'ppo', ppo: { ...ppo, score: 'task' } };
    const plain = { ...from, objective_tensors: new Map() };
    const trainer = await toyRlTrainer({
      stage: task,
      data: favouriteData(),
      training,
      from: plain,
    });
    const start = await trainer.state();
    const [name = ''] = from.parameters.keys();
    expect(start.objective_tensors?.get(`value.${name}`)?.data).toEqual(from.parameters.get(name));
    const before = await evaluated(trainer);
    await takeSteps(trainer, 80);
    const after = await evaluated(trainer);
    expect(after['val/reward']).toBeGreaterThan((before['val/reward'] ?? NaN) + 0.2);
    trainer.dispose();
  });
});
