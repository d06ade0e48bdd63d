/**
 * The engine on the processor: kernels in AssemblyScript (`assembly/`) over one WebAssembly memory.
 * This room knows addresses only; `backend/` gives tensors their memory.
 */
export { downloadBuild, loadBuild, setBuildLoader } from './builds.ts';
export { commandBytes, Engine, ThreadStopped } from './engine.ts';
export {
  type BuildName,
  clamped,
  engineRules,
  processorFeatures,
  thisMachine,
} from './features.ts';
export { fastestThreads } from './fastest_threads.ts';
export type { Block } from './heap.ts';
export { ProcessorMemoryFull } from './memory_full.ts';
