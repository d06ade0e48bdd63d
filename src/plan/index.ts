/** What a run will cost: parameters, FLOPs and memory, by arithmetic alone. */
export { type Activation, keptByBlock, keptByModel, transientOfBlock } from './activations.ts';
export { type DeviceSpeed, estimateSeconds, stepSeconds } from './duration.ts';
export { flopsPerToken } from './flops.ts';
export {
  type MemoryPlan,
  momentsPerParameter,
  type PlannedParameter,
  type PlannedParameters,
  planMemory,
} from './memory.ts';
export {
  blockMatrixParameters,
  countParameters,
  GPT2_SMALL_PARAMETERS,
  type ParameterCount,
} from './parameters.ts';
export { guessVocab, type PlanFacts, type Planner, planRun, type RunPlan } from './plan.ts';
