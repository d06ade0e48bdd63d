/**
 * The loop, evaluation and the metrics table. `loop.ts` reads from top to bottom; `trainer.ts` is
 * one model in training.
 */
export { breathe, Control, type Wish } from './control.ts';
export {
  type FinishReason,
  LossExploded,
  type LoopHooks,
  type LoopPhase,
  type LoopState,
  trainLoop,
} from './loop.ts';
export {
  type Columns,
  type Metric,
  MetricBuffer,
  type MetricName,
  type MetricRow,
  METRICS,
} from './metrics.ts';
export { type EvalResult, type StepResult, Trainer, type TrainerState } from './trainer.ts';
