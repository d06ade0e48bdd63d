/** What an evaluation of DPO measures of the model's own answers to held-out prompts. */
import type { MetricRow } from '../common/index.ts';
import { checkedMetrics, type CheckedAnswer, heldOutAnswers } from './answers.ts';
import { type SourceContext, stageOf } from './objective.ts';
import { pairShape } from './pairs.ts';
import { mean } from './rl/advantages.ts';
import { type AnswerRow, firstTarget } from './rl/answer_rows.ts';
import { ANSWERED_PROMPTS } from './rl/measure.ts';
import { valuesOfAnswers } from './rl/policy.ts';

/**
 * Shares of right answers and true reward where code knows them, and the KL divergence from the
 * reference, of answers at the sampling temperature. Greedy answers have no KL divergence.
 */
export async function measureDpo(context: SourceContext): Promise<Partial<MetricRow>> {
  const { data } = stageOf(context);
  const { temperature } = context.config.sampling;
  if (temperature === 0 && data.rewards.length === 0) return {};
  const answers = await heldOutAnswers(context, temperature);
  if (answers.length === 0) return {};
  const metrics = checkedMetrics(answers, data);
  if (temperature === 0) return metrics;
  return { ...metrics, 'val/kl': await klFromReference(context, answers) };
}

/** Mean over answers of log policy minus log reference, nats. */
async function klFromReference(
  context: SourceContext,
  answers: readonly CheckedAnswer[],
): Promise<number> {
  const size = pairShape(context);
  const rows = answers.slice(0, ANSWERED_PROMPTS).map((one) => rowOf(one, size.block_size));
  const ref_logps = await valuesOfAnswers(context, 'ref_logps', { rows, ...size });
  return mean(
    rows.map(({ logps }, i) =>
      logps.reduce((sum, logp, t) => sum + logp - (ref_logps[i]?.[t] ?? NaN), 0),
    ),
  );
}

/** The answer as a row of a batch, which holds no more tokens than the longest pair has. */
function rowOf({ prompt, answer, ids, logps }: CheckedAnswer, block_size: number): AnswerRow {
  const prompt_ids = prompt.ids;
  const room = Math.max(0, block_size - firstTarget({ prompt_ids }));
  return {
    prompt: 0,
    prompt_ids,
    ids: ids.subarray(0, room),
    logps: logps.subarray(0, room),
    ended: answer.ended,
    rewards: {},
    tokens: {},
  };
}
