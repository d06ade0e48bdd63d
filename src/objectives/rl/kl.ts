/** Estimators of the KL divergence from the reference (Schulman 2020), and their coefficient. */
import type { StageConfig } from '../../config/stage/index.ts';

export type KlEstimator = StageConfig['ppo']['kl_estimator'];

/**
 * Of KL(policy, reference) at a token that the policy sampled, nats. k1 = logp - ref has either
 * sign; k3 = e^(ref - logp) - 1 - (ref - logp) is never negative. Both are unbiased.
 */
export function klOf(estimator: KlEstimator, logp: number, ref_logp: number): number {
  const difference = ref_logp - logp;
  switch (estimator) {
    case 'k1':
      return -difference;
    case 'k3':
      return Math.expm1(difference) - difference;
    default:
      return estimator satisfies never;
  }
}

/** Largest relative error that the controller reacts to, and its gain (Ziegler et al. 2019). */
const MAX_ERROR = 0.2;
const GAIN = 0.1;

/**
 * The coefficient after a batch whose sequences had this KL (Ziegler et al. 2019, section 2.2).
 * Float32, as checkpoints keep it.
 */
export function adaptedCoefficient(kl_coef: number, kl: number, target_kl: number): number {
  const error = Math.min(MAX_ERROR, Math.max(-MAX_ERROR, (kl - target_kl) / target_kl));
  return Math.fround(kl_coef * (1 + GAIN * error));
}
