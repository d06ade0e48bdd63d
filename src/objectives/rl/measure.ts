/** Answers to held-out prompts, as evaluations of RL stages measure them. */
import type { MetricRow } from '../../common/index.ts';
import { answerMetrics, answerPrompts, type CheckedAnswer } from '../answers.ts';
import { type SourceContext, stageOf } from '../objective.ts';
import { mean } from './advantages.ts';
import { rewardsOf } from './rewards.ts';

/** Held-out prompts that an evaluation answers: enough to see 5 points. */
export const ANSWERED_PROMPTS = 200;

/**
 * Likeliest answers: shares of right ones, mean reward, and the true reward where it is known; and
 * the share of right ones among answers that are sampled as in training (pass@1).
 */
export async function measureGreedy(
  context: SourceContext,
  sampling: { max_new_tokens: number; temperature: number },
): Promise<Partial<MetricRow>> {
  const { data, stage } = stageOf(context);
  const { max_new_tokens } = sampling;
  const answers = await heldOutAnswers(context, { max_new_tokens, temperature: 0 });
  if (answers.length === 0) return {};
  const rewards = answers.map(
    ({ prompt, answer }) => rewardsOf({ data, stage }, prompt, answer).reward ?? NaN,
  );
  const sampled = answerMetrics(await heldOutAnswers(context, sampling));
  return {
    'val/pass@1': sampled['val/exact_match'] ?? NaN,
    ...answerMetrics(answers),
    ...trueReward(context, answers),
    'val/reward': mean(rewards),
  };
}

export function heldOutAnswers(
  context: SourceContext,
  sampling: { max_new_tokens: number; temperature: number },
): Promise<CheckedAnswer[]> {
  const { data } = stageOf(context);
  const prompts = data.prompts.val.slice(0, ANSWERED_PROMPTS);
  const seed = context.config.sampling.sample_seed;
  if (prompts.length === 0) return Promise.resolve([]);
  return answerPrompts({ prompts, programs: context.programs, data, ...sampling, seed });
}

export function trueReward(
  context: SourceContext,
  answers: readonly CheckedAnswer[],
): Partial<MetricRow> {
  const { true_reward } = stageOf(context).data;
  if (!true_reward) return {};
  const values = answers.map(({ prompt, answer }) => true_reward.score(prompt.example, answer));
  return { 'val/true_reward': mean(values) };
}
