/**
 * The model: parameters and segments (GPT-2 and Llama layouts), the backward walker, the programs
 * of pretraining, and generation with a KV cache.
 */
export { type Forward, head, hiddenStates } from './forward.ts';
// Loaded when it is first needed: `generate.ts`.
export type { DecodeOptions, RowChoice } from './decoder.ts';
export type { Generator } from './generate.ts';
export { Gradients, noGradients } from './gradients.ts';
export { initialValues } from './init.ts';
export {
  type BatchLike,
  type PreparedInputs,
  prepareInputs,
  rotaryTable,
  trainingInputs,
  writeBatch,
  writeInputs,
} from './inputs.ts';
export { listParameters, type Parameter, type ParameterPart, parameterSize } from './parameters.ts';
export {
  evaluation,
  logitsProgram,
  type ModelStores,
  SUMS,
  trainingMicroStep,
} from './programs.ts';
export type { Choice, SamplingOptions } from '../ops/sample_token/sampler.ts';
export { type GradientSink, Tape } from './tape.ts';
