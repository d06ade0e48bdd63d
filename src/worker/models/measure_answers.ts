/** Whether answers are right: greedy ones, sampled ones, and choices by log-likelihood. */
import type { Estimate, MeasuredValue } from '../../common/index.ts';
import { DataError, type PromptExample } from '../../data/index.ts';
import {
  acc,
  accNorm,
  chance,
  clusteredMean,
  meanPassAtK,
  passRates,
  type ScoredChoices,
  wilson,
  withinShares,
} from '../../evaluation/index.ts';
import type { Measuring } from './measuring.ts';
import { ModelRefusal } from './model_refusal.ts';
import type { OpenModel } from './open_model.ts';
import { sampleAnswers } from './sampling.ts';

/** Exact match, constraints, form and end of the likeliest answers. */
export async function answersOf(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, items, sampled } = measuring;
  const { examples, rewards } = items;
  const answers = await sampled(model, 0);
  const scoresOf = (name: string, among: readonly PromptExample[] = examples): number[] => {
    const reward = rewards.find((one) => one.name === name);
    if (!reward) return [];
    return answers.flatMap((answer, i) => {
      const example = examples[i];
      return example && among.includes(example) ? [reward.score(example, answer)] : [];
    });
  };
  // Where there is exactly one right answer, it is matched; elsewhere constraints are checked.
  const exact = examples.filter(({ answer }) => answer !== null);
  const free = examples.filter(({ answer }) => answer === null);
  return [
    ...shares('exact_match', scoresOf('correct', exact)),
    ...shares('constraint', scoresOf('correct', free)),
    ...shares('well_formed', scoresOf('well_formed')),
    ...shares('ends', scoresOf('ends')),
  ];
}

/** A share with Wilson's interval; nothing without items. */
function shares(metric: string, items: readonly number[]): MeasuredValue[] {
  if (items.length === 0) return [];
  const right = items.reduce((sum, item) => sum + item, 0);
  return [{ metric, ...wilson(right, items.length), interval: 'wilson', items }];
}

/** Separates the seeds of the answers to one prompt. */
const SEED_STEP = 1_000_003;

/** pass@1 and pass@k from several sampled answers to each prompt. */
export async function passesOf(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, items, settings, progress, true_reward } = measuring;
  const { examples, rewards } = items;
  const { samples, k, temperature, max_new_tokens, seed } = settings;
  if (samples < k) throw tooFewSamples(k, samples);
  const right = rewards.find(({ name }) => name === 'correct') ?? true_reward;
  const outcomes = examples.map((): number[] => []);
  const prompts = examples.map(({ prompt }) => model.readable(prompt));
  const total = samples * prompts.length;
  for (let sample = 0; sample < samples; sample++) {
    const answers = await sampleAnswers(model, {
      prompts,
      temperature,
      max_new_tokens,
      seed: (seed + SEED_STEP * (sample + 1)) % 2 ** 31,
      progress: (done) => progress(`pass@${k}`, sample * prompts.length + done, total),
    });
    answers.forEach((answer, i) => {
      const example = examples[i];
      if (example) outcomes[i]?.push(right.score(example, answer) > 0 ? 1 : 0);
    });
  }
  const clusters = outcomes.flatMap((answers, i) => answers.map(() => i));
  const one = withinShares(clusteredMean(outcomes.flat(), clusters));
  const first: MeasuredValue = {
    metric: 'pass_at_1',
    ...one,
    interval: 'clustered',
    items: passRates(outcomes, 1),
  };
  const ofK: MeasuredValue = {
    metric: 'pass_at_k',
    ...meanPassAtK(outcomes, k),
    interval: 'mean',
    items: passRates(outcomes, k),
  };
  return [first, ofK];
}

const tooFewSamples = (k: number, samples: number): ModelRefusal =>
  new ModelRefusal(
    'no_items',
    `pass@${k} needs at least ${k} answers to each prompt, and ${samples} were asked for.`,
    'Raise the number of answers, or lower k.',
  );

/** Multiple choice by the log-likelihood of the choices. */
export async function choicesOf(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, items, before, notes } = measuring;
  const questions = items.examples.flatMap((example) => {
    const choices = items.choices(example);
    return choices.length > 1 ? [{ example, choices }] : [];
  });
  if (questions.length === 0) {
    notes.push('The task has no multiple-choice questions.');
    return [];
  }
  const encoded = questions.map(({ example, choices }) =>
    choices.map((choice) => encodedChoice(model, example, choice)),
  );
  const rows = encoded.flat().flatMap((one) => (one ? [one.ids] : []));
  const logps = await model.scorer.logps(rows, before('Choices', rows.length));
  let next = 0;
  const scored = questions.map(({ choices }, i): ScoredChoices => {
    const sums = (encoded[i] ?? []).map((one) => {
      if (!one) return -Infinity;
      const values = logps[next++] ?? new Float32Array();
      // The first log-probability is that of the second token.
      return sumFrom(values, one.prompt_length - 1);
    });
    return { logps: sums, characters: choices.map((choice) => [...choice].length), answer: 0 };
  });
  const share = (chance(scored) * 100).toFixed(1);
  notes.push(`Guessing gets ${share} % of the multiple-choice questions right.`);
  return [...choiceShare('acc', scored.map(acc)), ...choiceShare('acc_norm', scored.map(accNorm))];
}

function choiceShare(metric: string, items: readonly number[]): MeasuredValue[] {
  const estimate: Estimate = wilson(
    items.reduce((sum, item) => sum + item, 0),
    items.length,
  );
  return [{ metric, ...estimate, interval: 'wilson', items }];
}

function encodedChoice(model: OpenModel, { prompt }: PromptExample, choice: string) {
  try {
    const encoded = model.format.encodeChoice(prompt, choice);
    const { ids, prompt_length } = encoded;
    const fits = ids.length <= model.model.block_size + 1 && prompt_length < ids.length;
    return fits && prompt_length > 0 ? encoded : null;
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}

function sumFrom(values: Float32Array, first: number): number {
  let total = 0;
  for (let i = first; i < values.length; i++) total += values[i] ?? NaN;
  return total;
}
