/** What PPO knows of sampled answers: their scores and how likely the reference finds them. */
import type { MetricRow } from '../../common/index.ts';
import { DataError, type EncodedPrompt } from '../../data/index.ts';
import type { Rollout } from '../../rollout/index.ts';
import { type SourceContext, stageOf } from '../objective.ts';
import { mean, sampleStd } from './advantages.ts';
import { answerBatch, type AnswerRow, firstTarget, inGroups } from './answer_rows.ts';
import { ANSWERED_PROMPTS } from './measure.ts';
import { valuesOfAnswers } from './policy.ts';
import { answerOf, rewardsOf } from './rewards.ts';

/** Rows and row length of a micro-batch. */
export interface Size {
  batch_size: number;
  block_size: number;
}

export interface ScoredRow extends AnswerRow {
  /** The score, less `missing_eos_penalty` if the answer did not end. */
  score: number;
  ref_logps: Float32Array;
}

type Sampled = Rollout & Pick<AnswerRow, 'prompt' | 'prompt_ids'>;

/**
 * Scores answers to the training prompts, or to `prompts`.
 *
 * @throws DataError no_reward if a score is not a number
 */
export async function scored(
  context: SourceContext,
  sampled: readonly Sampled[],
  size: Size,
  prompts: readonly EncodedPrompt[] = stageOf(context).data.prompts.train,
): Promise<ScoredRow[]> {
  const { data, stage } = stageOf(context);
  const { response_length, missing_eos_penalty, score: scorer } = stage.ppo;
  const rows = sampled.map((answer): AnswerRow => ({ ...answer, rewards: {}, tokens: {} }));
  const ref_logps = await valuesOfAnswers(context, 'ref_logps', { rows, ...size });
  const learned = scorer === 'reward_model' ? await learnedScores(context, rows, size) : null;
  return rows.map((row, i) => {
    const prompt = prompts[row.prompt];
    if (!prompt) throw new Error('There is an answer without a prompt.');
    const checked = rewardsOf({ data, stage }, prompt, answerOf(data, row, response_length));
    const raw = learned ? (learned[i] ?? NaN) : (checked.reward ?? NaN);
    if (!Number.isFinite(raw)) throw notANumber();
    const score = row.ended ? raw : raw - missing_eos_penalty;
    const own = ref_logps[i] ?? new Float32Array(row.ids.length);
    return { ...row, rewards: { ...checked, reward: score }, score, ref_logps: own };
  });
}

const notANumber = (): DataError =>
  new DataError(
    'no_reward',
    'The reward model gave a score that is not a number.',
    'Train another one, or let code score the answers (ppo.score: task).',
  );

/** The reward model's value at the last token of each answer. */
async function learnedScores(
  context: SourceContext,
  rows: readonly AnswerRow[],
  { batch_size, block_size }: Size,
): Promise<number[]> {
  const { pad_token_id } = stageOf(context).data.chat;
  const shape = { batch_size, block_size, pad_token_id, names: [], weights: [], shares: [] };
  const scores: number[] = [];
  for (const group of inGroups(rows, batch_size)) {
    const batch = answerBatch(group, { ...shape, row_offset: 0 });
    const values = await context.programs.run('scores', batch);
    group.forEach((row, index) => {
      // The last token of an answer that the context cuts off is not read.
      const last = Math.min(block_size - 1, firstTarget(row) + row.ids.length);
      scores.push(values[index * block_size + last] ?? NaN);
    });
  }
  return scores;
}

/** Answers to held-out prompts, sampled as in training: scores, true reward and KL of a sequence. */
export async function measurePpo(context: SourceContext, size: Size): Promise<Partial<MetricRow>> {
  const { data, stage } = stageOf(context);
  const { temperature, response_length } = stage.ppo;
  const prompts = data.prompts.val.slice(0, ANSWERED_PROMPTS);
  if (prompts.length === 0) return {};
  const rollouts = await context.programs.rollouts({
    prompts: prompts.map(({ ids }) => [...ids]),
    seed: context.config.sampling.sample_seed,
    temperature,
    max_new_tokens: response_length,
    stop_id: data.chat.eos_token_id,
    vocab_limit: data.chat.tokenizer.vocab_size,
  });
  const sampled = rollouts.map((rollout, prompt) => {
    const prompt_ids = prompts[prompt]?.ids ?? new Int32Array();
    return { ...rollout, prompt, prompt_ids };
  });
  const rows = await scored(context, sampled, size, prompts);
  const kls = rows.map(({ logps, ref_logps }) =>
    logps.reduce((sum, logp, t) => sum + logp - (ref_logps[t] ?? NaN), 0),
  );
  return {
    'val/reward': mean(rows.map(({ score }) => score)),
    'val/kl': mean(kls),
    'val/ends': mean(rows.map(({ ended }) => Number(ended))),
    ...checkedShares(rows),
    ...trueRewards(context, rows, prompts),
  };
}

function checkedShares(rows: readonly ScoredRow[]): Partial<MetricRow> {
  const share = (name: string): number => mean(rows.map(({ rewards }) => rewards[name] ?? NaN));
  const metrics = { 'val/exact_match': share('correct'), 'val/well_formed': share('well_formed') };
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
}

/** Mean and standard deviation of the true reward, where it is known. */
function trueRewards(
  context: SourceContext,
  rows: readonly ScoredRow[],
  prompts: readonly EncodedPrompt[],
): Partial<MetricRow> {
  const { data, stage } = stageOf(context);
  const { true_reward } = data;
  if (!true_reward) return {};
  const values = rows.map((row) => {
    const prompt = prompts[row.prompt];
    return prompt
      ? true_reward.score(prompt.example, answerOf(data, row, stage.ppo.response_length))
      : NaN;
  });
  return { 'val/true_reward': mean(values), 'val/true_reward_std': sampleStd(values) };
}
