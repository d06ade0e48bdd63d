/** Rewards of sampled answers, the win rate over a parent, and the distance from it. */
import type { MeasuredValue, Turns } from '../../common/index.ts';
import { hashUnit } from '../../data/index.ts';
import {
  higher,
  klOf,
  meanInterval,
  meanLengths,
  sequenceKl,
  tokenKl,
  winRate,
} from '../../evaluation/index.ts';
import type { Measuring } from './measuring.ts';
import type { OpenModel } from './open_model.ts';
import type { SampledAnswer } from './sampling.ts';

/** Separates the draw of orders from other uses of the seed. */
const ORDER = 0x6f72_6465;

/** Mean true reward and length of sampled answers, and the learned reward of the same answers. */
export async function rewardsOf(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, settings, sampled, reward_model } = measuring;
  const answers = await sampled(model, settings.temperature);
  const values = [
    mean('true_reward', trueRewards(measuring, answers)),
    mean(
      'length',
      answers.map(({ tokens }) => tokens),
    ),
  ];
  if (!reward_model) return values;
  return [
    ...values,
    mean('learned_reward', await learnedRewards(measuring, reward_model, answers)),
  ];
}

function mean(metric: string, items: readonly number[]): MeasuredValue {
  return { metric, ...meanInterval(items), interval: 'mean', items };
}

function trueRewards(
  { items, true_reward }: Measuring,
  answers: readonly SampledAnswer[],
): number[] {
  return answers.map((answer, i) => {
    const example = items.examples[i];
    return example ? true_reward.score(example, answer) : NaN;
  });
}

/** Scores of the tokens that the model wrote; both have one tokenizer. */
function learnedRewards(
  { model, items, before }: Measuring,
  reward: OpenModel,
  answers: readonly SampledAnswer[],
): Promise<number[]> {
  const { block_size } = reward.model;
  const rows = answers.map(({ ids }, i) => rowOf(model, items.examples[i]?.prompt ?? '', ids));
  // A row without tokens is that of a prompt that cannot be read.
  const fitting = rows.map((row) =>
    row.length > 0 ? row.subarray(0, block_size) : Int32Array.of(0),
  );
  return reward.scorer.scores(fitting, before('Learned reward', rows.length));
}

/** Prompt and answer as one row. */
function rowOf(model: OpenModel, prompt: Turns, answer: Int32Array): Int32Array {
  const before = model.readable(prompt) ?? [];
  return Int32Array.of(...before, ...answer);
}

/** Share of prompts where the true reward of the model's answer is higher than the parent's. */
export async function winsOver(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, parent, settings, sampled, notes } = measuring;
  if (!parent) return [];
  const { temperature, seed } = settings;
  const ours = await sampled(model, temperature);
  const theirs = await sampled(parent, temperature);
  const rewards = trueRewards(measuring, ours);
  const others = trueRewards(measuring, theirs);
  const judged = rewards.map((child, i) => ({ child, parent: others[i] ?? NaN }));
  const { rate, wins, ties } = winRate(judged, higher, (i) => hashUnit(ORDER, seed, i));
  const pairs = ours.flatMap((child, i) => {
    const other = theirs[i];
    return other ? [{ child, parent: other }] : [];
  });
  const lengths = meanLengths(pairs);
  notes.push(
    `${ties} of ${wins.length} pairs of answers are ties; mean lengths are ` +
      `${lengths.child.toFixed(1)} and ${lengths.parent.toFixed(1)} tokens.`,
  );
  const theirLengths = theirs.map(({ tokens }) => tokens);
  return [
    { metric: 'win_rate', ...rate, interval: 'wilson', items: wins },
    mean('parent_length', theirLengths),
  ];
}

/** KL from the parent over answers that the model samples at temperature 1. */
export async function klFrom(measuring: Measuring): Promise<MeasuredValue[]> {
  const { model, parent, items, sampled, before } = measuring;
  if (!parent) return [];
  const answers = await sampled(model, 1);
  const written = answers.flatMap(({ ids }, i) => {
    if (ids.length === 0) return [];
    const row = rowOf(model, items.examples[i]?.prompt ?? '', ids);
    const limit = Math.min(model.model.block_size, parent.model.block_size) + 1;
    return row.length <= limit ? [{ row, length: ids.length }] : [];
  });
  const rows = written.map(({ row }) => row);
  const ours = await model.scorer.logps(rows, before('Log-probabilities', rows.length));
  const theirs = await parent.scorer.logps(rows, before('The parent’s', rows.length));
  const compared = written.map(({ length }, i) => ({
    logps: [...(ours[i] ?? [])].slice(-length),
    parent_logps: [...(theirs[i] ?? [])].slice(-length),
  }));
  return [
    { metric: 'kl', ...sequenceKl(compared), interval: 'mean', items: compared.map(klOf) },
    { metric: 'kl_per_token', ...tokenKl(compared), interval: 'mean' },
  ];
}
