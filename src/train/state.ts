/** What a trainer starts from and what a checkpoint keeps of it. */
import type { LossScaleState } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { StageData, TokenSplit } from '../data/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { Precision } from '../run/index.ts';

/** Tensor of the objective, as a checkpoint keeps it. */
export interface ObjectiveTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** What a checkpoint keeps of a trainer; everything else is derived again. */
export interface TrainerState {
  /** The model's parameters by name. */
  parameters: ReadonlyMap<string, Float32Array>;
  /**
   * Parameters of the objective by name, its reference weights as `reference.NAME`, and what its
   * source keeps as `source.NAME`.
   */
  objective_tensors?: ReadonlyMap<string, ObjectiveTensor>;
  optimizer: ReadonlyMap<string, Float32Array>;
  step: number;
  tokens: number;
  /** Factor on the learning rate's schedule, set by the user; 1 if absent. */
  lr_multiplier?: number;
  /** State of mixed precision; null or absent if the run has never used it. */
  loss_scale?: LossScaleState | null;
}

export interface TrainerOptions {
  config: RunConfig;
  objective: Objective;
  split: TokenSplit;
  /** Settings and data of a stage after pretraining. */
  stage?: StageConfig | null;
  data?: StageData | null;
  /** The model's vocabulary, which may be larger than the tokenizer's. */
  vocab_size: number;
  /** State to continue from, or null for randomly initialised weights at step 0. */
  from?: TrainerState | null;
  /** What `settleRun` decided; by default, derived from the configuration and the backend. */
  precision?: Precision;
  /** Called with 0 at the start, and with 0.5 once all programs are traced. */
  compiling?: (done: number) => void;
}
