/** The learning rate by step. */
import type { TrainingConfig } from '../config/index.ts';

type Schedule = Pick<
  TrainingConfig,
  | 'learning_rate'
  | 'min_lr'
  | 'lr_schedule'
  | 'warmup_iters'
  | 'lr_decay_iters'
  | 'max_iters'
  | 'wsd_decay_fraction'
>;

/**
 * The learning rate at a step, counted from 0.
 *
 * Warm-up is linear from learning_rate / (warmup_iters + 1), so that step 0 already learns and step
 * `warmup_iters` has the full rate. Then follows the schedule:
 *
 * - `cosine`: half a cosine down to min_lr at lr_decay_iters, and min_lr after that (`get_lr` of
 *   nanoGPT).
 * - `linear`: a straight line between the same points.
 * - `wsd` (warm-up, stable, decay): learning_rate, then a straight line down to min_lr over the last
 *   wsd_decay_fraction of lr_decay_iters (Hu et al. 2024; linear as in Hägele et al. 2024).
 * - `constant`: learning_rate.
 *
 * An lr_decay_iters of 0 means max_iters.
 */
export function learningRate(schedule: Schedule, step: number): number {
  const { learning_rate, min_lr, warmup_iters, lr_schedule } = schedule;
  if (step < warmup_iters) return (learning_rate * (step + 1)) / (warmup_iters + 1);
  if (lr_schedule === 'constant') return learning_rate;
  return min_lr + decayFactor(schedule, step) * (learning_rate - min_lr);
}

/** 1 until the decay begins, 0 from its end on. */
function decayFactor(schedule: Schedule, step: number): number {
  const { warmup_iters, lr_decay_iters, max_iters, lr_schedule, wsd_decay_fraction } = schedule;
  const end = lr_decay_iters > 0 ? lr_decay_iters : max_iters;
  if (step >= end) return 0;
  const stableUntil = lr_schedule === 'wsd' ? end * (1 - wsd_decay_fraction) : 0;
  const begin = Math.max(warmup_iters, stableUntil);
  if (step <= begin) return 1;
  const progress = (step - begin) / (end - begin);
  return lr_schedule === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - progress;
}
