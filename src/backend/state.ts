/** The one backend of this worker. `start.ts` sets it. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Trace } from './trace.ts';

interface State {
  webgpu: WebGPUBackend | null;
  device: GPUDevice | null;
  /** The program being traced, if any. */
  trace: Trace | null;
  mode: 'replay' | 'op_by_op';
}

export const state: State = { webgpu: null, device: null, trace: null, mode: 'replay' };

/** The WebGPU backend and its device. Throws if another backend is running. */
export function webgpu(): { backend: WebGPUBackend; device: GPUDevice } {
  if (!state.webgpu || !state.device)
    throw new Error('This needs the WebGPU backend, and another one is running.');
  return { backend: state.webgpu, device: state.device };
}

export function onWebGpu(): boolean {
  return state.webgpu !== null;
}

/**
 * Whether programs that are compiled from now on are replayed (the default) or run op by op on
 * WebGPU, for comparison and for tests of equality.
 */
export function setProgramMode(mode: 'replay' | 'op_by_op'): void {
  state.mode = mode;
}
