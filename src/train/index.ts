/**
 * Training: `trainer.ts` is one model in training, `loop.ts` decides when it steps, evaluates,
 * samples and saves.
 */
export { breathe, Control, type Wish } from './control.ts';
export { judgeStep, type LossHistory } from './health.ts';
export { type LoopHooks, type LoopPhase, type LoopState, trainLoop } from './loop.ts';
export { LossExploded } from './loss_exploded.ts';
export { MetricBuffer } from './metrics.ts';
export { type RunParameters, runParameters } from './parameters.ts';
export type { Evaluation } from './evaluate.ts';
export { RolloutPool } from './rollout_pool.ts';
export { savedReference, savedValues } from './saved_values.ts';
export type { ObjectiveTensor, TrainerOptions, TrainerState } from './state.ts';
export { sourceState, withSourceState } from './tensors.ts';
export { type StepResult, Trainer } from './trainer.ts';
