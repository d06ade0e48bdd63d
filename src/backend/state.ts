/** The one backend of this worker. `start.ts` sets it. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { ProcessorBackend } from './processor_memory.ts';
import type { ProcessorPrograms } from './processor_types.ts';
import type { TensorMemory } from './tensor_memory.ts';
import type { Trace } from './trace.ts';

interface State {
  webgpu: WebGPUBackend | null;
  device: GPUDevice | null;
  processor: ProcessorBackend | null;
  processorPrograms: ProcessorPrograms | null;
  /** Where tensors of our kernels lie; null on backends of tfjs's alone. */
  memory: TensorMemory | null;
  /** The program being traced, if any. */
  trace: Trace | null;
  mode: 'replay' | 'op_by_op';
}

export const state: State = {
  webgpu: null,
  device: null,
  processor: null,
  processorPrograms: null,
  memory: null,
  trace: null,
  mode: 'replay',
};

/** The WebGPU backend and its device. Throws if another backend is running. */
export function webgpu(): { backend: WebGPUBackend; device: GPUDevice } {
  if (!state.webgpu || !state.device)
    throw new Error('This needs the WebGPU backend, and another one is running.');
  return { backend: state.webgpu, device: state.device };
}

/** The engine on the processor. Throws if another backend is running. */
export function processor(): ProcessorBackend {
  return ofProcessor(state.processor);
}

/** What runs its commands. Throws if another backend is running. */
export function processorPrograms(): ProcessorPrograms {
  return ofProcessor(state.processorPrograms);
}

function ofProcessor<T>(part: T | null): T {
  if (!part)
    throw new Error('This needs the engine on the processor, and another backend is running.');
  return part;
}

/** The memory of our kernels. Throws on backends of tfjs's alone. */
export function tensorMemory(): TensorMemory {
  if (!state.memory) throw new Error('This backend has no kernels of ours.');
  return state.memory;
}

export function onWebGpu(): boolean {
  return state.webgpu !== null;
}

/** Whether our engine on the processor is the backend. */
export function onProcessor(): boolean {
  return state.processor !== null;
}

/**
 * Whether operations run by kernels of ours, programs can be replayed, and stores are flat memory
 * that kernels write in place: on WebGPU and on the engine on the processor.
 */
export function hasOwnKernels(): boolean {
  return state.memory !== null;
}

/**
 * Whether programs that are compiled from now on are replayed (the default) or run op by op, for
 * comparison and for tests of equality. Only where there are kernels of ours.
 */
export function setProgramMode(mode: 'replay' | 'op_by_op'): void {
  state.mode = mode;
}
