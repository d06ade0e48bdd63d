/** Rules about the learning rate schedule. */
import type { TrainingConfig } from '../schema.ts';
import type { Problem } from './problem.ts';

export function checkSchedule(training: TrainingConfig): Problem[] {
  const { learning_rate, min_lr, warmup_iters, lr_decay_iters, max_iters } = training;
  const decays = training.lr_schedule !== 'constant';
  const problems: Problem[] = [];
  if (decays && min_lr > learning_rate) {
    problems.push({
      field: 'training.min_lr',
      code: 'min_lr_above_learning_rate',
      message: `The schedule would end at ${min_lr}, above its peak learning rate of ${learning_rate}.`,
      hint: `Set min_lr to at most ${learning_rate}.`,
    });
  }
  if (warmup_iters > max_iters) {
    problems.push({
      field: 'training.warmup_iters',
      code: 'warmup_longer_than_run',
      message: `Warm-up takes ${warmup_iters} steps, and the run has only ${max_iters}.`,
      hint: `Set warmup_iters to at most ${max_iters}.`,
    });
  }
  if (decays && lr_decay_iters > 0 && lr_decay_iters < warmup_iters) {
    problems.push({
      field: 'training.lr_decay_iters',
      code: 'decay_ends_before_warmup',
      message:
        `The decay would end at step ${lr_decay_iters}, ` +
        `before the warm-up ends at step ${warmup_iters}.`,
      hint: 'Set lr_decay_iters to 0, which means max_iters.',
    });
  }
  return problems;
}
