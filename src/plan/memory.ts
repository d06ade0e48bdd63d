/**
 * Bytes by kind that training holds on WebGPU: float32 (activations and logits in halves under
 * fp16), parameters in flat buffers, activations in one arena.
 */
import {
  logitsBytes,
  type ResolvedModel,
  type RunConfig,
  type TrainingConfig,
} from '../config/index.ts';
import {
  bytesOf,
  bytesPerValue,
  inputValues,
  keptByBlock,
  keptByModel,
  transientOfBlock,
} from './activations.ts';
import { blockMatrixParameters, countParameters } from './parameters.ts';

export interface MemoryPlan {
  weights: number;
  gradients: number;
  optimizer: number;
  /** Kept for the backward pass, and what its peak holds above the logits' share of the arena. */
  activations: number;
  /**
   * Logits, which their own gradient overwrites: there is one copy, or, where all would be too
   * large, one of a chunk of the vocabulary.
   */
  logits: number;
  /** Ids, targets, weights, positions and their orders, of one micro-batch. */
  inputs: number;
  /** Keys and values of generation. */
  cache: number;
  total: number;
}

const FLOAT = 4;
/** Tensors in a flat buffer start at multiples of this (`minStorageBufferOffsetAlignment`). */
const ALIGNMENT = 256;

/** `max_binding_size` is the device's, where it is known. */
export function planMemory(
  m: ResolvedModel,
  config: RunConfig,
  max_binding_size?: number,
): MemoryPlan {
  const { training } = config;
  const rows = training.batch_size * m.block_size;
  const weights = flatBytes(m);
  const precision = training.mixed_precision;
  const logits = logitsBytes(m, training, max_binding_size);
  const block = bytesOf(keptByBlock(m), precision);
  const transient = rows * bytesOf(transientOfBlock(m), precision);
  // With checkpointing each block keeps its input alone, and one block at a time has everything.
  const kept = training.activation_checkpointing
    ? m.n_layer * m.n_embd * bytesPerValue(m.n_embd, precision) + block
    : m.n_layer * block;
  const activations =
    rows * (kept + bytesOf(keptByModel(m), precision)) + Math.max(0, transient - logits);
  const plan = {
    weights,
    gradients: weights,
    optimizer: Math.round(weights * momentsPerParameter(m, training)),
    activations,
    logits,
    inputs: FLOAT * inputValues(m, rows),
    cache:
      FLOAT * cachedRows(config.sampling) * 2 * m.n_layer * m.block_size * m.n_kv_head * m.head_dim,
  };
  return { ...plan, total: Object.values(plan).reduce((a, b) => a + b, 0) };
}

/**
 * Sequences that generation keeps room for: one, and the prompts of the samples where there are
 * several.
 */
const cachedRows = ({ sample_interval, prompts }: RunConfig['sampling']): number =>
  sample_interval === 0 ? 0 : 1 + (prompts.length > 1 ? prompts.length : 0);

/**
 * Bytes of one flat buffer with a value a parameter. On average a tensor wastes half an alignment.
 */
function flatBytes(m: ResolvedModel): number {
  const tensorsOfBlock = m.layout === 'gpt2' ? (m.bias ? 12 : 6) : m.qk_norm ? 8 : 6;
  return FLOAT * countParameters(m).total + (m.n_layer * tensorsOfBlock + 3) * (ALIGNMENT / 2);
}

/**
 * Optimizer values a parameter: Adam keeps two moments, SGD one, Muon one for matrices and two for
 * the rest.
 */
export function momentsPerParameter(m: ResolvedModel, t: TrainingConfig): number {
  switch (t.optimizer) {
    case 'adamw':
    case 'adam':
      return 2;
    case 'sgd':
      return t.momentum > 0 ? 1 : 0;
    case 'muon':
      return 2 - blockMatrixParameters(m) / countParameters(m).total;
    default:
      return t.optimizer satisfies never;
  }
}
