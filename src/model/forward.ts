/**
 * What every segment of the forward pass reads. A segment is a function of parameters and
 * activations, so that a pipeline has a place to cut and recomputation a unit: embedding,
 * (attention, feed-forward) x n_layer, final norm and head.
 *
 * Activations are [tokens, features] with tokens = batch_size x block_size, row-major by sequence.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Store } from '../backend/index.ts';
import type { RecomputeGranularity, ResolvedModel } from '../config/index.ts';
import type { HeadRange, MlpAttrs, Tensors } from '../ops/index.ts';
import type { BatchLike, PreparedInputs } from './inputs.ts';
import type { Tape } from './tape.ts';
import type { AdaptedPass, ParameterSource } from './weights.ts';

export interface Forward {
  tape: Tape;
  model: ResolvedModel;
  weights: ParameterSource;
  /** ids, positions, their sorted orders and rng, as `trainingInputs` or `CachedForward` make them. */
  inputs: Store;
  rotary: Store | null;
  batch_size: number;
  block_size: number;
  /** Whether dropout is on. */
  training: boolean;
  /** Prefix of the parameters of the model that this is a pass of; '' by default. See `modelOf`. */
  prefix?: string;
  /**
   * The last hidden states of each model of the run by its prefix, where stages of a pipeline have
   * computed them [tokens, n_embd].
   */
  hidden?: ReadonlyMap<string, Tensor>;
  /** What the backward pass computes again; by default nothing. */
  recompute_granularity?: RecomputeGranularity | undefined;
  /** Replaces the causal attention over the current tokens, for example by one over a KV cache. */
  attend?: Attend | undefined;
  /** The other ranks that hold parts of each layer; `model` is then the part of this rank. */
  tensor_parallel?: TensorParallel | undefined;
}

/**
 * Tensor parallelism (Shoeybi et al. 2019, Megatron-LM), implemented by `src/parallel`. Ranks hold
 * columns of the first projections of a branch, rows of its last one, and rows of the embedding and
 * of the head.
 */
export interface TensorParallel {
  /** Where the heads here are among those of the model, for the masks of attention dropout. */
  readonly heads: HeadRange;
  /**
   * `x` before layers that are split by columns: its gradient is added up over the ranks, in place
   * (Megatron-LM's copy_to_tensor_model_parallel_region).
   */
  copyToRegion(tape: Tape, x: Tensor): void;
  /**
   * `x` after a layer that is split by rows: its values are added up over the ranks, in place
   * (Megatron-LM's reduce_from_tensor_model_parallel_region).
   */
  reduceFromRegion(x: Tensor): void;
  /** Whether another rank adds the bias of a linear layer. */
  omitsBias(layer: string): boolean;
  /** The activation between the two projections of a feed-forward block of GPT-2. */
  activate(pass: AdaptedPass, x: Tensor, attrs: MlpAttrs): Tensor;
  /** Token (and, in GPT-2, position) embedding [tokens, n_embd]. */
  embed(forward: Forward): Tensor;
  /**
   * Entropy of the distribution of each token [tokens], nats. `x` and `weight` are the operands of the
   * head, and `lse` is that of the whole vocabulary; logits exist for `chunk` tokens at a time.
   */
  entropy(operands: Tensors<'x' | 'weight' | 'lse'>, chunk: number): Tensor;
  /** Merges the row states of the cross-entropy over the vocabulary here with those of the ranks. */
  readonly exchangeRows: (states: Tensor) => void;
  /**
   * A micro-batch for programs of this rank, in place of `prepareInputs`: ids and targets are
   * relative to the first row here. Throws as `prepareInputs` does.
   */
  prepare(batch: BatchLike): PreparedInputs;
}

/**
 * The same pass over another model of the run, whose parameters have this prefix, such as PPO's value
 * model; '' is the model that `forward` is a pass of.
 */
export function modelOf(forward: Forward, prefix: string): Forward {
  if (prefix === '') return forward;
  const { weights } = forward;
  return { ...forward, prefix, weights: prefixedSource(weights, prefix) };
}

function prefixedSource(weights: ParameterSource, prefix: string): ParameterSource {
  return {
    get: (name) => weights.get(prefix + name),
    onTape: (tape) => prefixedSource(weights.onTape?.(tape) ?? weights, prefix),
  };
}

/** Whether cheap operations are computed again in the backward pass instead of keeping their outputs. */
export const isSelective = ({ recompute_granularity }: Forward): boolean =>
  recompute_granularity === 'selective';

/** From packed queries, keys and values to the attention's output [tokens, n_head head_dim]. */
export type Attend = (forward: Forward, layer: number, qkv: Tensor) => Tensor;
