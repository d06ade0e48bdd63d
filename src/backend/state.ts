/** What this worker's one backend is. Set once by start.ts. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Trace } from './trace.ts';

interface State {
  webgpu: WebGPUBackend | null;
  device: GPUDevice | null;
  /** The program being traced, if one is. */
  trace: Trace | null;
  /**
   * Replays traced programs, or runs the same functions op by op (comparison, tests of equality).
   */
  mode: 'replay' | 'op_by_op';
}
export const state: State = { webgpu: null, device: null, trace: null, mode: 'replay' };

/** The WebGPU backend, where it is the present one. */
export function webgpu(): { backend: WebGPUBackend; device: GPUDevice } {
  if (!state.webgpu || !state.device)
    throw new Error('This needs the WebGPU backend, and another one is running.');
  return { backend: state.webgpu, device: state.device };
}
export const onWebGpu = (): boolean => state.webgpu !== null;

/**
 * Whether programs are replayed (the default) or run op by op on WebGPU. Set before programs are
 * compiled.
 */
export function setProgramMode(mode: 'replay' | 'op_by_op'): void {
  state.mode = mode;
}
