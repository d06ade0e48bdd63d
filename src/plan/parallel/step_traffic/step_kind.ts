/** What a step of a run sends beyond its passes and its update. */
import type { StageConfig } from '../../../config/stage/index.ts';
import type { StepBatch } from '../training.ts';

export interface StepKind {
  /** GRPO and PPO: whether the step begins a phase, so that answers are sampled and scored. */
  samples: boolean;
  /** Tokens of an answer of the phase, in the mean. Default: as many as an answer may have. */
  answer_tokens?: number | undefined;
  /** DPO: micro-batches with pairs that the reference has not scored yet. Default: none. */
  new_batches?: number | undefined;
}

/** A step that ranks have taken. */
export interface TakenStep {
  /** Counted from 0. */
  step: number;
  /** The first step since the ranks were started, which have scored no pairs before. */
  first_step: number;
  /** Pairs that DPO learns from. */
  train_pairs: number;
  /** Mean tokens of the answers of the step's phase; undefined if not known. */
  answer_tokens?: number | undefined;
}

export function stepKind(
  stage: StageConfig | null,
  batch: StepBatch,
  { answer_tokens, ...taken }: TakenStep,
): StepKind {
  const new_batches = stage?.objective === 'dpo' ? newBatches(batch, taken) : 0;
  return { samples: beginsPhase(stage, taken.step), answer_tokens, new_batches };
}

/** Steps that learn from the same answers, and minibatches of them; 0 where none are sampled. */
export function phaseOf(stage: StageConfig | null): { steps: number; mini_batches: number } {
  if (stage?.objective === 'grpo') return { steps: stage.grpo.num_iterations, mini_batches: 1 };
  if (stage?.objective !== 'ppo') return { steps: 0, mini_batches: 0 };
  const { num_ppo_epochs, num_mini_batches: mini_batches } = stage.ppo;
  return { steps: num_ppo_epochs * mini_batches, mini_batches };
}

/** Whether a step, counted from 0, begins a phase of GRPO or PPO. */
export function beginsPhase(stage: StageConfig | null, step: number): boolean {
  const { steps } = phaseOf(stage);
  return steps > 0 && step % steps === 0;
}

/**
 * Micro-batches of a step that have a pair for the first time, where an epoch is one order of all
 * pairs. After a start within an epoch, the next epoch meets the others in an order of its own; for
 * it this is an upper bound.
 */
function newBatches(
  { batch_size, gradient_accumulation_steps: count }: StepBatch,
  { step, first_step, train_pairs }: TakenStep,
): number {
  if (train_pairs === 0) return 0;
  const first = first_step * count * batch_size;
  const epochs = Math.floor(first / train_pairs) + (first % train_pairs === 0 ? 1 : 2);
  const left = epochs * train_pairs - step * count * batch_size;
  return Math.min(count, Math.max(0, Math.ceil(left / batch_size)));
}
