/**
 * Starts a tfjs backend, and owns everything that touches the GPU device or the engine on the
 * processor: buffers and their accounting, dispatches, traced programs, submits, readback. The only
 * room that uses tfjs's private members (`tfjs_private.ts`).
 */
export {
  type DeviceMemory,
  deviceMemory,
  type GpuMemory,
  gpuMemory,
  queueSubmits,
} from './memory.ts';
export { loadAllKernels } from './kernels.ts';
export {
  activation,
  addInPlace,
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
export { HALVES, storageFor, storageOf, type StorageType, withActivations } from './float16.ts';
export type { Arena } from './arena.ts';
export { programPool } from './program_pool.ts';
export { BindingTooLarge, compileProgram } from './program.ts';
export type {
  Boundary,
  Collective,
  Outputs,
  PartItem,
  Program,
  SubmitItem,
} from './program_types.ts';
export { boundary, submitWithBoundaries } from './boundary.ts';
export { submit, submitStatistics } from './submit.ts';
export { keepingState } from './kept_state.ts';
export { type KernelTime, profilePrograms } from './profile.ts';
export { ShaderError } from './pipelines.ts';
export { Ring, type RingEntry, type RingRead } from './ring.ts';
export { PartStore, type TensorPart } from './part_store.ts';
export { type Chunk, type Spec, Store, tensorCount, type TensorStore } from './store.ts';
export { readback, writeTensor } from './readback.ts';
export type { Values } from './values.ts';
export { rowsOf, viewOf } from './views.ts';
export { deviceClass, isSoftware, subgroupMatricesOffered } from './device_class.ts';
export { type Timed, timeOnWall, timePrograms } from './timing.ts';
export { hasOwnKernels, onProcessor, onWebGpu, setProgramMode } from './state.ts';
export { ProcessorMemoryFull } from '../processor/memory_full.ts';
export type { ProcessorCall } from './dispatch_types.ts';
export { loadWithProcessor } from './processor_parts.ts';
export { runOnProcessor } from './processor_dispatch.ts';
export type { BackendChoice, DeviceEvents, ThreadChoice, ThreadMemo } from './backend_choice.ts';
export { isSoftwareRenderer } from './software.ts';
export { changeThreads } from './change_threads.ts';
export { startBackend, tryBackends } from './start.ts';
export { deviceLimits, loseDevice, maxBindingSize } from './start_webgpu.ts';
