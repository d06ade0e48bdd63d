/**
 * The engine on the processor: kernels in AssemblyScript (`assembly/`) over one WebAssembly memory.
 * It knows addresses only; tensors are `backend/`'s.
 */
export { downloadBuild, loadBuild, setBuildLoader } from './builds.ts';
export { commandBytes, Engine, ThreadStopped } from './engine.ts';
export {
  type BuildName,
  buildFor,
  clamped,
  type EngineRules,
  engineRules,
  type Machine,
  type ProcessorFeatures,
  processorFeatures,
  thisMachine,
} from './features.ts';
export { fastestThreads } from './fastest_threads.ts';
export { Block, Heap, type HeapUse } from './heap.ts';
export { ProcessorMemoryFull } from './memory_full.ts';
