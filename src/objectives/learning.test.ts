/** Objectives over pairs learn a preference within seconds, and go on where they were saved. */
import { beforeAll, expect, it } from 'vitest';
import { startEngine } from '../testing/node_engine.ts';
import {
  evaluatedAfter,
  pairsData,
  TOY_ROW_LENGTH,
  toyPairs,
  toyTrainer,
} from '../testing/toy_pairs.ts';
import { dpo } from './dpo.ts';
import { reward } from './reward.ts';

const data = pairsData(toyPairs(2000, 1), toyPairs(300, 2), TOY_ROW_LENGTH);

beforeAll(startEngine);

it('a reward model ranks over 80 % of held-out pairs', async () => {
  const training = { learning_rate: 5e-3 };
  const trainer = await toyTrainer({
    objective: reward,
    stage: { objective: 'reward' },
    data,
    training,
  });
  const before = await evaluatedAfter(trainer, 0);
  const after = await evaluatedAfter(trainer, 350);
  trainer.dispose();
  console.log(before, after);
  expect(before['val/accuracy']).toBeLessThan(0.65);
  expect(after['val/accuracy']).toBeGreaterThan(0.8);
});

it.each([
  ['reward', reward],
  ['dpo', dpo],
] as const)('%s resumes in the middle of a run to the bit', async (name, objective) => {
  const run = { objective, stage: { objective: name }, data };
  const whole = await toyTrainer(run);
  await evaluatedAfter(whole, 6);
  const first = await toyTrainer(run);
  await evaluatedAfter(first, 3);
  const rest = await toyTrainer({ ...run, from: await first.state() });
  await evaluatedAfter(rest, 3);
  const [expected, actual] = [await whole.state(), await rest.state()];
  for (const [parameter, values] of expected.parameters) {
    expect(actual.parameters.get(parameter), parameter).toEqual(values);
  }
  expect(actual.objective_tensors).toEqual(expected.objective_tensors);
  for (const trainer of [whole, first, rest]) trainer.dispose();
});

it('the reference of DPO keeps every bit', async () => {
  const trainer = await toyTrainer({ objective: dpo, stage: { objective: 'dpo' }, data });
  const before = (await trainer.state()).objective_tensors ?? new Map();
  await evaluatedAfter(trainer, 5);
  const { objective_tensors: after, parameters } = await trainer.state();
  trainer.dispose();
  expect(before.size).toBeGreaterThan(0);
  expect(after).toEqual(before);
  const name = 'transformer.wte.weight';
  expect(parameters.get(name)).not.toEqual(after?.get(`reference.${name}`)?.data);
});

it.each([
  [true, 0],
  [false, 0.1],
])('disable_dropout %s trains with a dropout of %s', async (disable_dropout, dropout) => {
  const stage = { objective: 'dpo', dpo: { disable_dropout } } as const;
  const trainer = await toyTrainer({ objective: dpo, stage, data });
  expect(trainer.model.dropout).toBe(dropout);
  trainer.dispose();
});

it('an untied language head keeps every bit while a reward model trains', async () => {
  const trainer = await toyTrainer({
    objective: reward,
    stage: { objective: 'reward' },
    data,
    model: { tie_word_embeddings: false },
  });
  const before = (await trainer.state()).parameters.get('lm_head.weight');
  await evaluatedAfter(trainer, 3);
  const { parameters, optimizer } = await trainer.state();
  trainer.dispose();
  expect(before).toBeDefined();
  expect(parameters.get('lm_head.weight')).toEqual(before);
  expect([...optimizer.keys()]).not.toContain('exp_avg.lm_head.weight');
});

it('shows the latest pairs token by token, with rewards that follow from the tokens', async () => {
  const beta = 0.5;
  const stage = { objective: 'dpo', dpo: { beta } } as const;
  const trainer = await toyTrainer({ objective: dpo, stage, data });
  expect(await trainer.inspect()).toBeNull();
  await evaluatedAfter(trainer, 2);
  const shown = await trainer.inspect();
  trainer.dispose();
  expect(shown?.step).toBe(1);
  expect(shown?.rows).toHaveLength(64);
  for (const { tokens, rewards } of shown?.rows ?? []) {
    const learned = tokens.filter(({ mask }) => mask === 1);
    // The topic and the token that begins the answer are the prompt.
    expect(learned).toHaveLength(tokens.length - 2);
    const ratio = learned.reduce((sum, one) => sum + (one.logp ?? NaN) - (one.ref_logp ?? NaN), 0);
    expect(rewards?.reward).toBeCloseTo(beta * ratio, 4);
  }
});
