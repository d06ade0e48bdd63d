/** The tensors that the programs of one run share, made in one place. */
import { type Spec, Store } from '../backend/index.ts';
import type { RecomputeGranularity, ResolvedModel } from '../config/index.ts';
import type { Attend, TensorParallel } from './forward.ts';
import { Gradients, type ModelGradients } from './gradients.ts';
import { rotaryTable, trainingInputs } from './inputs.ts';
import { listParameters, type Parameter } from './parameters.ts';
import { type Adapters, type ModelWeights, Weights } from './weights.ts';

export interface ModelStores {
  model: ResolvedModel;
  weights: ModelWeights;
  gradients: ModelGradients;
  /** ids, targets, weights, positions and what the objective adds, [batch_size x block_size] each. */
  inputs: Store;
  rotary: Store | null;
  /** `sums` [number of sums]: what the step has added up so far; each micro-step adds its part. */
  sums: Store;
  batch_size: number;
  block_size: number;
  recompute_granularity: RecomputeGranularity;
  /**
   * Mixed precision (WebGPU only): activations are stored in float16, and the backward pass starts
   * from the loss times `scale` [1].
   */
  loss_scale: Store | null;
  /**
   * Vocabulary entries whose logits exist at a time in training and evaluation; `vocab_size` or
   * more means all of them.
   */
  logits_chunk: number;
  /** Attention of training and evaluation, if not the causal one over whole rows. */
  attend?: Attend | undefined;
  /** See Forward. */
  tensor_parallel?: TensorParallel | undefined;
}

/** What programs without a backward pass need: no gradients, no moments, no sums. */
export type ForwardStores = Omit<ModelStores, 'gradients' | 'sums' | 'recompute_granularity'>;

export interface StoreOptions {
  model: ResolvedModel;
  /** Rows of a micro-batch. */
  batch_size: number;
  /** Tokens of a row; defaults to the model's context length. */
  block_size?: number;
  /** Default: `none`. */
  recompute_granularity?: RecomputeGranularity;
  loss_scale?: Store | null;
  logits_chunk?: number;
  /** Defaults to the parameters of the model. */
  parameters?: readonly Parameter[];
  /** Defaults to all of them. */
  trains?: (parameter: Parameter) => boolean;
  /** Updates of linear layers, whose parameters are among the others. Default: none. */
  adapters?: Adapters | null;
  /** How many numbers a step adds up on the device; defaults to loss and accuracy. */
  sum_count?: number;
  /** Inputs beyond ids, targets, weights and positions. */
  extra_inputs?: readonly Spec[];
  /** See ModelStores. */
  attend?: Attend | undefined;
  tensor_parallel?: TensorParallel | undefined;
  /** Weights and gradients that are kept in another way, such as in parts. Default: whole ones. */
  kept?: KeptElsewhere | undefined;
}

export interface KeptElsewhere {
  weights: ModelWeights;
  gradients: ModelGradients;
}

/** Allocates the stores of a run. Values are written by the caller; gradients and sums are zero. */
export function createStores(options: StoreOptions): ModelStores {
  const { model, batch_size, block_size = model.block_size } = options;
  const parameters = options.parameters ?? listParameters(model);
  const trains = options.trains ?? (() => true);
  const { weights, gradients } = options.kept ?? wholeStores(parameters, trains, options.adapters);
  return {
    model,
    weights,
    gradients,
    inputs: trainingInputs(model, batch_size, block_size, options.extra_inputs),
    rotary: rotaryTable(model),
    sums: new Store('sums', [{ name: 'sums', shape: [options.sum_count ?? 2] }]),
    batch_size,
    block_size,
    recompute_granularity: options.recompute_granularity ?? 'none',
    loss_scale: options.loss_scale ?? null,
    logits_chunk: options.logits_chunk ?? model.vocab_size,
    attend: options.attend,
    tensor_parallel: options.tensor_parallel,
  };
}

function wholeStores(
  parameters: readonly Parameter[],
  trains: (parameter: Parameter) => boolean,
  adapters: Adapters | null | undefined,
): KeptElsewhere {
  const weights = new Weights(parameters, trains, adapters);
  const gradients = new Store('gradients', weights.trainable.specs);
  return { weights, gradients: new Gradients(gradients, weights.trainable) };
}

export function disposeStores(stores: ModelStores): void {
  stores.weights.dispose();
  stores.gradients.store.dispose();
  stores.inputs.dispose();
  stores.sums.dispose();
  stores.rotary?.dispose();
  stores.loss_scale?.dispose();
}
