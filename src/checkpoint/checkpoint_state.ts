/** What a checkpoint contains, before it is written and after it was read. */
import type { Lineage, LossScaleState, MetricColumns } from '../common/index.ts';
import type { ResolvedModel, RunConfig } from '../config/index.ts';
import type { JsonRecord } from './json.ts';
import type { TokenizerSource } from './tokenizer_files.ts';

/** A tensor that belongs to the objective and not to the model, row-major. */
export interface ObjectiveTensor {
  shape: readonly number[];
  data: Float32Array;
}

export interface CheckpointState {
  config: RunConfig;
  model: ResolvedModel;
  /** By the names of `listParameters`, in their shapes. */
  parameters: ReadonlyMap<string, Float32Array>;
  /**
   * Moments by `MOMENT.NAME` with a moment of `MOMENTS`, such as `exp_avg.transformer.ln_f.bias`.
   * NAME is a parameter of the model or one of `objective_tensors`, and gives the shape. Frozen
   * parameters have none; the map is empty for a foreign folder.
   */
  optimizer: ReadonlyMap<string, Float32Array>;
  /**
   * Tensors beyond the model's, by name: a scalar head, adapters, frozen reference weights. Default:
   * none.
   */
  objective_tensors?: ReadonlyMap<string, ObjectiveTensor>;
  step: number;
  /** Training tokens seen. */
  tokens: number;
  elapsed_seconds: number;
  tokenizer: TokenizerSource;
  best_val_loss?: number | null;
  /** Mixed precision only. */
  loss_scale?: LossScaleState | null;
  /** Factor on the scheduled learning rate, positive. Default: 1. */
  lr_multiplier?: number;
  schedule?: Readonly<Record<string, number>>;
  seeds?: Readonly<Record<string, number>>;
  /** Reserved, see training_state.ts. */
  data_position?: Readonly<Record<string, number>>;
  /** Default: the tokenizer's end-of-text token, which also begins documents. */
  eos_token_id?: number | null;
  bos_token_id?: number | null;
  /** Default: pretraining from random weights on an unknown dataset. */
  lineage?: Lineage;
  /** Settings of a stage after pretraining: what `stage.json` has, not checked here. */
  stage?: JsonRecord | null;
  /** The Jinja template of conversations, in `chat_template.jinja`. Default: null. */
  chat_template?: string | null;
  /** Default: none. */
  pad_token_id?: number | null;
  metrics?: MetricColumns;
}

/** A state as `readCheckpoint` returns it. */
export interface ReadState extends CheckpointState {
  /** The bytes of tokenizer.json, for `tokenizerFromJson` or `importTokenizer`. */
  tokenizer: Uint8Array;
  objective_tensors: ReadonlyMap<string, ObjectiveTensor>;
  lr_multiplier: number;
  lineage: Lineage;
  /** Why the optimizer's moments were left out, one sentence; undefined if they were not. */
  optimizer_problem?: string | undefined;
  /** Sentences about what was changed while importing. */
  notes: string[];
  /** True if the folder has no training_state.json, so only weights and tokenizer were read. */
  foreign: boolean;
}

export interface WriteOptions {
  /**
   * Throw `no_equivalent` for a model that transformers cannot open, instead of writing a folder
   * that only Terrarium reads.
   */
  plain?: boolean;
}
