/** Starts the engine on the processor and registers it as a tfjs backend. */
import {
  backend as currentBackend,
  findBackendFactory,
  registerBackend,
  removeBackend,
} from '@tensorflow/tfjs-core';
import { buildFor, Engine, loadBuild, processorFeatures } from '../processor/index.ts';
import { withoutGpuDevice, type StartedBackend } from './backend_choice.ts';
import { PROCESSOR, ProcessorBackend, processorTensorMemory } from './processor_memory.ts';
import { registerProcessorKernels } from './processor_tfjs.ts';
import { selectBackend } from './select_backend.ts';
import { state } from './state.ts';
import type { TensorMemory } from './tensor_memory.ts';

/** The engine of this worker: starting it again reuses it. */
let running: { backend: ProcessorBackend; memory: TensorMemory } | null = null;

/** Whether this browser can run the engine. */
export function hasEngine(): boolean {
  return processorFeatures().simd;
}

/** @throws MissingPart if the engine cannot be downloaded. */
export async function startProcessor(): Promise<StartedBackend> {
  if (!running) {
    const engine = await Engine.start(await loadBuild(buildFor(processorFeatures(), 1)));
    const backend = new ProcessorBackend(engine);
    if (findBackendFactory(PROCESSOR)) removeBackend(PROCESSOR);
    registerBackend(PROCESSOR, () => backend);
    await registerProcessorKernels();
    running = { backend, memory: processorTensorMemory(backend) };
  }
  if (!(await selectBackend(PROCESSOR)) || currentBackend() !== running.backend)
    throw new Error('The engine on the processor could not be started.');
  state.processor = running.backend;
  state.memory = running.memory;
  return withoutGpuDevice('wasm', 'CPU, WebAssembly');
}
