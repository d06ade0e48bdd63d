/**
 * Bytes by kind that training allocates on WebGPU and on the engine on the processor. Parameters,
 * gradients and moments are float32 in flat buffers; activations (float16 under mixed precision)
 * share one arena.
 */
import {
  logitsBytes,
  recomputeGranularity,
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
  /**
   * Activations kept for the backward pass, and the part of its peak that exceeds the logits' share
   * of the arena.
   */
  activations: number;
  /**
   * Logits, which their own gradient overwrites. One copy of them or, if all of them would be too
   * large, of one chunk of the vocabulary.
   */
  logits: number;
  /** Ids, targets, weights, positions and their orders, of one micro-batch. */
  inputs: number;
  /** Keys and values of generation. */
  cache: number;
  total: number;
}

/** What the plan needs to know of a parameter. `Parameter` of src/model is one. */
export interface PlannedParameter {
  shape: readonly number[];
  /** Muon keeps one moment of a `matrix`, and two of all other kinds. */
  kind: 'embedding' | 'matrix' | 'head' | 'norm' | 'bias';
}

/**
 * The parameters of a run whose objective freezes some of the model's parameters or adds its own.
 * Frozen ones, such as those of a reference model, have neither gradient nor moments.
 */
export interface PlannedParameters {
  trainable: readonly PlannedParameter[];
  frozen: readonly PlannedParameter[];
}

export interface MemoryFacts {
  /** Largest binding of the device, if known. */
  max_binding_size?: number | undefined;
  /** By default, all parameters of the model train. */
  parameters?: PlannedParameters | undefined;
}

const FLOAT = 4;
/** Tensors in a flat buffer start at multiples of this (`minStorageBufferOffsetAlignment`). */
const ALIGNMENT = 256;

/** The memory of a run. */
export function planMemory(
  model: ResolvedModel,
  config: RunConfig,
  { max_binding_size, parameters }: MemoryFacts = {},
): MemoryPlan {
  const { training, sampling } = config;
  const tokens = training.batch_size * model.block_size;
  const logits = logitsBytes(model, training, max_binding_size);
  const peak = transientBytes(model, training);
  const cachedValues = 2 * model.n_layer * model.block_size * model.n_kv_head * model.head_dim;
  const ofParameters = parameters
    ? parameterBytes(parameters, training)
    : modelParameterBytes(model, training);
  const plan = {
    ...ofParameters,
    activations: keptBytes(model, training) + Math.max(0, peak - logits),
    logits,
    inputs: FLOAT * inputValues(model, tokens),
    cache: FLOAT * cachedSequences(sampling) * cachedValues,
  };
  return { ...plan, total: Object.values(plan).reduce((a, b) => a + b, 0) };
}

type ParameterBytes = Pick<MemoryPlan, 'weights' | 'gradients' | 'optimizer'>;

/** If all parameters of the model train. */
function modelParameterBytes(model: ResolvedModel, training: TrainingConfig): ParameterBytes {
  const weights = flatBytes(model);
  const optimizer = Math.round(weights * momentsPerParameter(model, training));
  return { weights, gradients: weights, optimizer };
}

/** Exact bytes of the given parameters. */
function parameterBytes(
  { trainable, frozen }: PlannedParameters,
  training: TrainingConfig,
): ParameterBytes {
  const total = (bytes: readonly number[]): number => bytes.reduce((a, b) => a + b, 0);
  const gradients = total(trainable.map(tensorBytes));
  return {
    weights: gradients + total(frozen.map(tensorBytes)),
    gradients,
    optimizer: total(trainable.map((p) => tensorBytes(p) * momentsOfKind(p.kind, training))),
  };
}

/** Bytes of one tensor in a flat buffer. */
function tensorBytes({ shape }: PlannedParameter): number {
  const values = shape.reduce((a, b) => a * b, 1);
  return Math.ceil((FLOAT * values) / ALIGNMENT) * ALIGNMENT;
}

/**
 * Activations that are kept from the forward to the backward pass, at the time of the loss. With full
 * recomputation each block keeps only its input, except the last one, whose backward pass comes next
 * and which keeps everything.
 */
export function keptBytes(
  model: ResolvedModel,
  training: TrainingConfig,
  keptOfBlock = keptByBlock(model, recomputeGranularity(training)),
): number {
  const precision = training.mixed_precision;
  const tokens = training.batch_size * model.block_size;
  const granularity = recomputeGranularity(training);
  const block = bytesOf(keptOfBlock, precision);
  const blocks =
    granularity === 'full'
      ? Math.max(0, model.n_layer - 2) * blockInputBytes(model, training) + block
      : model.n_layer * block;
  return tokens * (blocks + bytesOf(keptByModel(model, granularity), precision));
}

/**
 * By how much the peak of a block's backward pass exceeds `keptBytes`: gradients inside the block and
 * the gradient of its output exist. The peak is at the last block. With full recomputation it is at an
 * earlier one, which is computed again when the final norm and the loss are freed.
 */
export function transientBytes(model: ResolvedModel, training: TrainingConfig): number {
  const precision = training.mixed_precision;
  const tokens = training.batch_size * model.block_size;
  const granularity = recomputeGranularity(training);
  const gradients = bytesOf(transientOfBlock(model, granularity), precision);
  const input = blockInputBytes(model, training);
  if (granularity !== 'full') return tokens * (gradients + input);
  // The branch that dropout reads, while it is computed again.
  const dropped = model.dropout > 0 ? input : 0;
  const freed = bytesOf(keptByModel(model, granularity), precision);
  return tokens * (gradients + input + dropped - freed);
}

/** Per token. */
const blockInputBytes = ({ n_embd }: ResolvedModel, training: TrainingConfig): number =>
  n_embd * bytesPerValue(n_embd, training.mixed_precision);

/**
 * Sequences in the caches of generation: one for the page's generator, and one for each prompt of
 * the samples if there are several.
 */
function cachedSequences({ sample_interval, prompts }: RunConfig['sampling']): number {
  if (sample_interval === 0) return 0;
  return 1 + (prompts.length > 1 ? prompts.length : 0);
}

/**
 * Bytes of one flat buffer with a value for each parameter of the model. Alignment costs a tensor
 * half an alignment on average.
 */
function flatBytes(model: ResolvedModel): number {
  const tensors = model.n_layer * tensorsOfBlock(model) + 3;
  return FLOAT * countParameters(model).total + tensors * (ALIGNMENT / 2);
}

function tensorsOfBlock(model: ResolvedModel): number {
  if (model.layout === 'gpt2') return model.bias ? 12 : 6;
  return model.qk_norm ? 8 : 6;
}

/**
 * Moments per parameter, on average over the model: Adam keeps two, SGD one, and Muon one of the
 * matrices in blocks and two of all others.
 */
export function momentsPerParameter(model: ResolvedModel, training: TrainingConfig): number {
  const ofOthers = momentsOfKind('embedding', training);
  const ofMatrices = momentsOfKind('matrix', training);
  const matrixShare = blockMatrixParameters(model) / countParameters(model).total;
  return ofOthers - (ofOthers - ofMatrices) * matrixShare;
}

/** Moments of a parameter of this kind. */
export function momentsOfKind(
  kind: PlannedParameter['kind'],
  training: Pick<TrainingConfig, 'optimizer' | 'momentum'>,
): number {
  switch (training.optimizer) {
    case 'adamw':
    case 'adam':
      return 2;
    case 'sgd':
      return training.momentum > 0 ? 1 : 0;
    case 'muon':
      return kind === 'matrix' ? 1 : 2;
    default:
      return training.optimizer satisfies never;
  }
}
