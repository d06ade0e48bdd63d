/**
 * True reward against learned reward against KL (Gao et al. 2022, "Scaling Laws for Reward Model
 * Overoptimization"): a policy that is trained for too long pleases its reward, not the task.
 */
import type { MetricTable, Series } from '../columns.ts';

/** What an evaluation measured of answers to held-out prompts. */
export interface RewardPoint {
  step: number;
  /** From the reference, nats; null where the stage has none. */
  kl: number | null;
  /** What training maximizes. */
  learned: number;
  /** What code knows to be right. */
  truth: number;
}

/** The KL metrics of PPO (at evaluations) and of GRPO (at steps; only with beta > 0). */
const KL_METRICS = ['val/kl', 'kl'] as const;

/** The evaluations that measured both rewards; none where the truth is not known. */
export function rewardPoints(table: Pick<MetricTable, 'get'>): RewardPoint[] {
  const learned = table.get('val/reward');
  const truth = table.get('val/true_reward');
  if (!learned || !truth) return [];
  const kl = KL_METRICS.map((name) => table.get(name)).find((series) => series !== undefined);
  return Array.from(truth.step, (step, i): RewardPoint => ({
    step,
    kl: kl ? latestAt(kl, step) : null,
    learned: latestAt(learned, step) ?? NaN,
    truth: truth.value[i] ?? NaN,
  })).filter((point) => Number.isFinite(point.learned) && Number.isFinite(point.truth));
}

/** The value at a step, or the latest one before it; 0 steps have moved no model. */
function latestAt({ step: steps, value }: Series, step: number): number | null {
  let found: number | null = step === 0 ? 0 : null;
  for (let i = 0; i < steps.length && (steps[i] ?? Infinity) <= step; i++) found = value[i] ?? null;
  return found;
}

export interface Verdict {
  /** Where the true reward was highest. */
  best: RewardPoint;
  last: RewardPoint;
  /** The true reward has fallen since, while the learned one has not. */
  over: boolean;
}

/** A fall of the mean by less than this share of a standard deviation may be chance. */
const NOISE = 0.15;

/**
 * Whether the policy is over-optimized; null before the second evaluation. Evaluations ask 200
 * prompts, so that two standard errors of a mean are 0.14 standard deviations.
 *
 * @param std Standard deviation of the true reward over answers; 0 if it is not known.
 */
export function verdictOf(points: readonly RewardPoint[], std: number): Verdict | null {
  const last = points.at(-1);
  if (!last || points.length < 2) return null;
  const best = points.reduce((one, other) => (other.truth > one.truth ? other : one));
  const over = last.truth < best.truth - NOISE * std && last.learned >= best.learned;
  return { best, last, over };
}
