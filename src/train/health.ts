/** Whether the weights of a run in training are lost: the rule of the training loop and of ranks. */
import type { Health } from '../objectives/index.ts';
import { LossExploded } from './loss_exploded.ts';
import type { StepResult, Trainer } from './trainer.ts';

/** Each skipped step halves the loss scale. After this many in a row, the scale is not the cause. */
const MOST_SKIPPED = 32;

/** What a run is judged by. */
export interface LossHistory {
  /** Training losses of the first step that is known and of the latest. */
  first_loss?: number | undefined;
  last_loss?: number | undefined;
  /** Consecutive skipped steps, up to the latest (mixed precision). */
  skipped_in_a_row?: number;
}

type JudgedTrainer = Pick<Trainer, 'model' | 'objective'>;

/**
 * Adds a step to the history.
 *
 * @throws LossExploded if the step has lost the weights
 */
export function judgeStep(
  trainer: JudgedTrainer,
  history: LossHistory,
  { step, loss, grad_norm, skipped }: StepResult,
): void {
  if (skipped) {
    history.skipped_in_a_row = (history.skipped_in_a_row ?? 0) + 1;
    if (history.skipped_in_a_row > MOST_SKIPPED) throw new LossExploded(step, loss);
    return;
  }
  history.skipped_in_a_row = 0;
  history.first_loss ??= loss;
  const health = lossHealth(trainer, history, loss);
  history.last_loss = loss;
  if (!Number.isFinite(grad_norm) || health === 'exploded') throw new LossExploded(step, loss);
}

/** What the objective says of a loss after those of the history; by default, of the latest one. */
export function lossHealth(
  { model, objective }: JudgedTrainer,
  history: LossHistory,
  loss = history.last_loss ?? 0,
): Health {
  const { first_loss = loss, last_loss = loss } = history;
  const { vocab_size } = model;
  return objective.health({ loss, first_loss, previous_loss: last_loss, vocab_size });
}
