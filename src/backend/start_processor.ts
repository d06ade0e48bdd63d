/** Starts the engine on the processor and registers it as a tfjs backend. */
import {
  backend as currentBackend,
  findBackendFactory,
  registerBackend,
  removeBackend,
} from '@tensorflow/tfjs-core';
import {
  buildFor,
  Engine,
  loadBuild,
  type ProcessorFeatures,
  processorFeatures,
} from '../processor/index.ts';
import { withoutGpuDevice, type StartedBackend } from './backend_choice.ts';
import { PROCESSOR, ProcessorBackend, processorTensorMemory } from './processor_memory.ts';
import { loadProcessorParts } from './processor_parts.ts';
import { executorOf } from './processor_program.ts';
import { runCall } from './processor_run.ts';
import { registerProcessorKernels } from './processor_tfjs.ts';
import { selectBackend } from './select_backend.ts';
import { state } from './state.ts';
import type { TensorMemory } from './tensor_memory.ts';

/** The engine of this worker: starting it again reuses it. */
let running: { backend: ProcessorBackend; memory: TensorMemory } | null = null;

/** Throws if the browser has no SIMD, and MissingPart if the engine cannot be downloaded. */
export async function startProcessor(): Promise<StartedBackend> {
  const features = processorFeatures();
  if (!features.simd)
    throw new Error("This browser's WebAssembly has no SIMD, which fast training on it needs.");
  if (!running) {
    const parts = loadProcessorParts();
    const [build] = await Promise.all([loadBuild(buildFor(features, 1)), parts]);
    const engine = await Engine.start(build);
    const backend = new ProcessorBackend(engine);
    if (findBackendFactory(PROCESSOR)) removeBackend(PROCESSOR);
    registerBackend(PROCESSOR, () => backend);
    await registerProcessorKernels();
    running = { backend, memory: processorTensorMemory(backend) };
  }
  if (!(await selectBackend(PROCESSOR)) || currentBackend() !== running.backend)
    throw new Error('The engine on the processor could not be started.');
  state.processor = running.backend;
  state.processorPrograms = { run: runCall, executorOf };
  state.memory = running.memory;
  return processorDevice(features, 1);
}

/** What the page says about the device. */
export function processorDevice(
  { relaxedSimd, sharedMemory }: ProcessorFeatures,
  threads: number,
): StartedBackend {
  const simd = relaxedSimd ? 'relaxed SIMD' : 'SIMD';
  const count = threads === 1 ? '1 thread' : `${threads} threads`;
  return {
    ...withoutGpuDevice('wasm', `CPU, ${count}, ${simd}`),
    features: sharedMemory ? [simd, 'shared memory'] : [simd],
  };
}
