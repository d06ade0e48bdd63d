/**
 * The model: parameters and segments (GPT-2 and Llama layouts), the tape, the programs of a run, and
 * generation with a KV cache. Loaded when they are first needed: `generate.ts`, and `stage_programs.ts`
 * for the stages of a pipeline.
 */
export type { Spec as InputSpec } from '../backend/index.ts';
export type { Choice, SamplingOptions } from '../ops/sample_token/sampler.ts';
export type { DecodeOptions, RowChoice } from './decoder.ts';
export { adapterMatrix, isAdapterTensor, loraParameters } from './adapter_parameters.ts';
export { type Attend, type Forward, modelOf, type TensorParallel } from './forward.ts';
export type { Generator } from './generate.ts';
export { Gradients, type ModelGradients, noGradients } from './gradients.ts';
export {
  head,
  parallelLossesAndEntropy,
  scoreParameter,
  scores,
  type TokenLosses,
  tokenLosses,
} from './heads.ts';
export { hiddenStates } from './hidden_states.ts';
export { initialValues } from './init.ts';
export {
  type BatchLike,
  type PreparedInputs,
  prepareInputs,
  type RandomState,
  rotaryTable,
  trainingInputs,
  writeBatch,
  writeInputs,
} from './inputs.ts';
export { blockOf, embeddingName } from './layout.ts';
export { crossEntropyLoss, weightedSums } from './losses.ts';
export { listParameters, type Parameter, type ParameterPart, parameterSize } from './parameters.ts';
export {
  evaluation,
  logitsProgram,
  type LossContext,
  type LossFunction,
  targetLogps,
  tokenLogps,
  type TracedLoss,
  trainingMicroStep,
  type ValueContext,
  valueProgram,
} from './programs.ts';
export {
  createStores,
  disposeStores,
  type ForwardStores,
  type KeptElsewhere,
  type ModelStores,
  type StoreOptions,
} from './stores.ts';
export { type GradientSink, Tape } from './tape.ts';
export {
  type Adapters,
  type FrozenStorage,
  type ModelWeights,
  type ParameterSource,
  Weights,
  withoutAdapters,
} from './weights.ts';
