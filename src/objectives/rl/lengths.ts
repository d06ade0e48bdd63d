/** Metrics of sampled answers by TRL's names. */
import type { MetricRow } from '../../common/index.ts';
import type { Rollout } from '../../rollout/index.ts';
import { mean } from './advantages.ts';

/** Lengths of all answers and of those that ended by themselves, and the share of the others. */
export function lengthMetrics(answers: readonly Rollout[]): Partial<MetricRow> {
  const lengths = answers.map(({ ids }) => ids.length);
  const ended = answers.filter((answer) => answer.ended).map(({ ids }) => ids.length);
  return {
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/mean_terminated_length': ended.length > 0 ? mean(ended) : 0,
    'completions/clipped_ratio': 1 - ended.length / answers.length,
  };
}

/**
 * Entropy of the sampled distributions at the sampling temperature, nats per token: the mean of
 * -logp of what was sampled, which needs no further program.
 */
export function sampledEntropy(answers: readonly Rollout[]): number {
  return mean(answers.flatMap(({ logps }) => Array.from(logps, (logp) => -logp)));
}
