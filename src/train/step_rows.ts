/** Rows of metrics that one training step gives. */
import type { MetricRow } from '../common/index.ts';
import type { StepResult, Trainer } from './trainer.ts';

type MeasuredTrainer = Pick<Trainer, 'skipped_steps' | 'tokensPerStep' | 'learningRateAt'>;

/** What a step measured. */
export function rowOf(trainer: MeasuredTrainer, seconds: number, result: StepResult): MetricRow {
  const { step, skipped, metrics, grad_norm } = result;
  const measured = skipped ? { skipped_steps: trainer.skipped_steps } : { ...metrics, grad_norm };
  const tokens = result.total_tokens ?? step * trainer.tokensPerStep;
  return { step, tokens, seconds, ...measured, lr: trainer.learningRateAt(step - 1) };
}

/** How fast a step was. */
export function speedOf(
  { tokensPerStep }: Pick<Trainer, 'tokensPerStep'>,
  { step, ms, step_tokens = tokensPerStep }: StepResult,
): MetricRow {
  return { step, step_ms: ms, 'train/tok_per_sec': (1000 * step_tokens) / ms };
}
