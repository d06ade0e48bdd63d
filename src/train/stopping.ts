/** When a run stops by itself: at a limit, or because no evaluation has been better for a while. */
import type { FinishReason } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { Objective } from '../objectives/index.ts';

export interface Evaluated {
  trainer: { config: RunConfig };
  /** Best score so far; lower is better. */
  best_val_loss: number | null;
  stale_evaluations?: number;
}

/**
 * Takes the score of an evaluation and returns whether it is the best so far. An evaluation counts
 * against the patience unless it is better by more than the threshold, as in Hugging Face's
 * EarlyStoppingCallback. `isNew` is false where a resumed run repeats its last evaluation.
 */
export function countEvaluation(state: Evaluated, score: number, isNew: boolean): boolean {
  const { early_stopping_threshold } = state.trainer.config.training;
  const before = state.best_val_loss ?? Infinity;
  if (before - score > early_stopping_threshold) state.stale_evaluations = 0;
  else if (isNew) state.stale_evaluations = (state.stale_evaluations ?? 0) + 1;
  state.best_val_loss = Math.min(before, score);
  return score < before;
}

/** A training loss of running text from which no evaluation falls to exactly 0, in nats. */
const LEARNED_LOSS = 0.1;

/**
 * Whether no trained weights can have this score of an evaluation: it is not finite or, for the loss
 * of running text, 0 all at once. A hinge loss or a reward may be 0.
 */
export function isLostScore(
  { trainer, last_loss = 0 }: { trainer: ScoredTrainer; last_loss?: number | undefined },
  score: number | null,
): boolean {
  if (score === null) return false;
  const isText = trainer.objective.data === 'text';
  return !Number.isFinite(score) || (isText && score === 0 && last_loss > LEARNED_LOSS);
}

interface ScoredTrainer {
  objective: Pick<Objective, 'data'>;
}

/** As many evaluations in a row as the patience allows were no better. */
export function isStale({ trainer, stale_evaluations = 0 }: Evaluated): boolean {
  const { early_stopping_patience } = trainer.config.training;
  return early_stopping_patience > 0 && stale_evaluations >= early_stopping_patience;
}

/** The limit that the run has reached, if any. */
export function limitReached(
  trainer: { config: RunConfig; step: number; tokens: number },
  seconds: number,
): FinishReason | null {
  const { max_iters, max_tokens, max_seconds } = trainer.config.training;
  if (trainer.step >= max_iters) return 'max_iters';
  if (max_tokens > 0 && trainer.tokens >= max_tokens) return 'max_tokens';
  if (max_seconds > 0 && seconds >= max_seconds) return 'max_seconds';
  return null;
}
