/**
 * What every segment of the forward pass reads. A segment is a function of parameters and
 * activations, so that a pipeline has a place to cut and recomputation a unit: embedding,
 * (attention, feed-forward) x n_layer, final norm and head.
 *
 * Activations are [tokens, features] with tokens = batch_size x block_size, row-major by sequence.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import type { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

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
  /** Replaces the causal attention over the current tokens, for example by one over a KV cache. */
  attend?: Attend | undefined;
}

/** From packed queries, keys and values to the attention's output [tokens, n_head head_dim]. */
export type Attend = (forward: Forward, layer: number, qkv: Tensor) => Tensor;
