/**
 * Picks and starts a tfjs backend, and everything that touches the GPU device: buffers and their
 * count, dispatches, traced programs, read-back. The one room that knows tfjs's private members
 * (`tfjs_private.ts`).
 */
export { type GpuMemory, gpuMemory, queueSubmits } from './memory.ts';
export { loadAllKernels } from './kernels.ts';
export {
  activation,
  addInPlace,
  backendHasKernels,
  convert,
  copyInPlace,
  dispatch,
  type Dispatch,
  fillInPlace,
  grid,
  opByOpDispatches,
  output,
  ownsBuffer,
  type Param,
} from './dispatch.ts';
export { HALVES, storageFor, storageOf, type StorageType, withActivations } from './halves.ts';
export {
  BindingTooLarge,
  compileProgram,
  type Outputs,
  type Program,
  type SubmitItem,
} from './program.ts';
export { submit, submitStatistics } from './submit.ts';
export { keepingState, type KernelTime, profilePrograms, timeOnWall } from './profile.ts';
export { ShaderError } from './pipelines.ts';
export { Ring, type RingEntry, type RingRead } from './ring.ts';
export { type Chunk, readback, type Spec, Store, tensorCount, type Values } from './storage.ts';
export { rowsOf, viewOf } from './views.ts';
export { deviceClass, isSoftware, subgroupMatricesOffered } from './device_class.ts';
export { type Timed, timePrograms } from './timing.ts';
export { onWebGpu, setProgramMode } from './state.ts';
export {
  type BackendChoice,
  deviceLimits,
  loseDevice,
  maxBindingSize,
  startBackend,
  tryBackends,
} from './start.ts';
