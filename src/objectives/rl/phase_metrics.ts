/** What one phase of PPO sampled, in numbers. */
import type { MetricRow } from '../../common/index.ts';
import { mean } from './advantages.ts';
import { type KlEstimator, klOf } from './kl.ts';
import { lengthMetrics } from './lengths.ts';
import type { ScoredRow } from './ppo_scores.ts';

/** Means over answers, by TRL's names. */
export function phaseMetrics(
  rows: readonly ScoredRow[],
  { kl_estimator, kl_coef }: { kl_estimator: KlEstimator; kl_coef: number },
): Partial<MetricRow> {
  const sumOf = (row: ScoredRow, value: (logp: number, ref_logp: number) => number): number =>
    row.logps.reduce((sum, logp, t) => sum + value(logp, row.ref_logps[t] ?? NaN), 0);
  const penalties = rows.map((row) =>
    sumOf(row, (logp, ref) => -kl_coef * klOf(kl_estimator, logp, ref)),
  );
  const scores = rows.map(({ score }) => score);
  return {
    'objective/kl': mean(rows.map((row) => sumOf(row, (logp, ref) => logp - ref))),
    'objective/entropy': mean(rows.map((row) => sumOf(row, (logp) => -logp))),
    'objective/non_score_reward': mean(penalties),
    'objective/rlhf_reward': mean(penalties) + mean(scores),
    'objective/scores': mean(scores),
    'objective/kl_coef': kl_coef,
    'val/num_eos_tokens': rows.filter(({ ended }) => ended).length,
    ...lengthMetrics(rows),
  };
}
