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
 * Learning rate of the step `step`, counted from 0.
 *
 * Warm-up is a line from learning_rate / (warmup_iters + 1), so that step 0 already learns and step
 * `warmup_iters` has the full rate; then `cosine` is half a cosine down to min_lr at
 * lr_decay_iters, and min_lr after that: nanoGPT's `get_lr`. `linear` is a line between the same
 * points. `wsd` (warm-up, stable, decay) keeps learning_rate and goes down in a line over the last
 * wsd_decay_fraction of lr_decay_iters (Hu et al. 2024; the line after Hägele et al. 2024).
 * `constant` keeps learning_rate after warm-up.
 */
export function learningRate(training: Schedule, step: number): number {
  const { learning_rate: peak, warmup_iters } = training;
  if (step < warmup_iters) return (peak * (step + 1)) / (warmup_iters + 1);
  return training.lr_schedule === 'constant'
    ? peak
    : training.min_lr + shareLeft(training, step) * (peak - training.min_lr);
}

/** 1 where the decay begins, 0 where it has ended. */
function shareLeft(training: Schedule, step: number): number {
  const { warmup_iters, lr_decay_iters, max_iters, wsd_decay_fraction } = training;
  const end = lr_decay_iters > 0 ? lr_decay_iters : max_iters;
  if (step >= end) return 0;
  const begin =
    training.lr_schedule === 'wsd'
      ? Math.max(warmup_iters, end * (1 - wsd_decay_fraction))
      : warmup_iters;
  if (step <= begin) return 1;
  const done = (step - begin) / (end - begin);
  return training.lr_schedule === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * done)) : 1 - done;
}
