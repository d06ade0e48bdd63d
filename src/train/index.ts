/**
 * The training loop and evaluation. `loop.ts` reads from top to bottom; `trainer.ts` is
 * one model in training.
 */
export { breathe, Control, type Wish } from './control.ts';
export { LossExploded, type LoopHooks, type LoopPhase, type LoopState, trainLoop } from './loop.ts';
export { MetricBuffer } from './metrics.ts';
export { type EvalResult, type StepResult, Trainer, type TrainerState } from './trainer.ts';
