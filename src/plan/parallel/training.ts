/** What the planner needs to know of the training of a model, whatever the arrangement of ranks. */
import {
  recomputeGranularity,
  type RecomputeGranularity,
  type RunConfig,
  type TrainingConfig,
} from '../../config/index.ts';
import type { LoraShape } from '../adapted_block.ts';
import type { Mesh } from './mesh.ts';

/**
 * What is stored in which precision.
 *
 * - `fp32`: everything in float32; AdamW takes 4 + 4 + 8 bytes a parameter.
 * - `autocast`: activations and logits in float16, all else in float32. `mixed_precision` of
 *   accelerate and of this page.
 * - `mixed`: weights and gradients in float16 or bfloat16, and master weights and moments in float32;
 *   AdamW takes 2 + 2 + 4 + 8 bytes (Micikevicius et al. 2018; Rajbhandari et al. 2020).
 */
export const PRECISIONS = ['fp32', 'autocast', 'mixed'] as const;
export type Precision = (typeof PRECISIONS)[number];

/**
 * `recompute_granularity` of Megatron-LM. `full`: each block keeps its input alone. `selective`:
 * under `mixed`, attention scores and their softmax are recomputed, or never stored, as in
 * FlashAttention. The kernels of this page never store them; on it, outputs of norms, of QK-norm with
 * RoPE and of gated activations are recomputed (`recompute_modules` of Megatron-LM has norms and
 * activations as well).
 */
export const RECOMPUTE_GRANULARITIES = [
  'none',
  'selective',
  'full',
] as const satisfies readonly RecomputeGranularity[];
export type { RecomputeGranularity };

export interface ParallelTraining {
  precision: Precision;
  optimizer: TrainingConfig['optimizer'];
  /** Of SGD and Muon. */
  momentum: number;
  recompute_granularity: RecomputeGranularity;
  /** Adapters that train instead of the model's weights, which are frozen. Default: none. */
  adapters?: LoraShape | undefined;
  /** Sequences of a micro-batch, over all data-parallel ranks. */
  batch_size: number;
  /** Micro-batches of a step; under pipeline parallelism, m. */
  gradient_accumulation_steps: number;
  /**
   * Memory that the allocator loses between blocks, as a share of activations and temporaries, under
   * `mixed`. The arena of this page is planned, so it loses nothing but alignment.
   */
  fragmentation: number;
}

/** Fragmentation that is assumed unless it is stated. */
export const DEFAULT_FRAGMENTATION = 0.05;

/** The training of a recipe of this page. */
export function trainingOf({ training }: RunConfig): ParallelTraining {
  return {
    precision: training.mixed_precision === 'fp16' ? 'autocast' : 'fp32',
    optimizer: training.optimizer,
    momentum: training.momentum,
    recompute_granularity: recomputeGranularity(training),
    batch_size: training.batch_size,
    gradient_accumulation_steps: training.gradient_accumulation_steps,
    fragmentation: DEFAULT_FRAGMENTATION,
  };
}

/** The batch of a step, as it is cut into micro-batches. `RunConfig['training']` is one. */
export type StepBatch = Pick<TrainingConfig, 'batch_size' | 'gradient_accumulation_steps'>;

/** `micro_batch_size` of Megatron-LM: sequences of a micro-batch on one data-parallel rank. */
export const microBatchSize = ({ batch_size }: StepBatch, { dp }: Mesh): number => batch_size / dp;

/** `global_batch_size` of Megatron-LM: sequences of a step. */
export const globalBatchSize = (batch: StepBatch): number =>
  batch.batch_size * batch.gradient_accumulation_steps;

/** Bytes of a parameter by what they are for. */
export interface BytesPerParameter {
  weight: number;
  gradient: number;
  /** Float32 master weights, which only `mixed` has. */
  master: number;
  /** Of one moment. */
  moment: number;
}

export function bytesPerParameter(precision: Precision): BytesPerParameter {
  switch (precision) {
    case 'fp32':
    case 'autocast':
      return { weight: 4, gradient: 4, master: 0, moment: 4 };
    case 'mixed':
      return { weight: 2, gradient: 2, master: 4, moment: 4 };
    default:
      return precision satisfies never;
  }
}
