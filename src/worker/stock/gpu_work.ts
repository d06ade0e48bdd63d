/** Counts what TensorFlow.js sends to the GPU, at the browser's own functions. */

export interface GpuWork {
  /** Kernels started. */
  dispatches: number;
  /** Batches of commands submitted. */
  submits: number;
}

/** Counts from now on, in the object that it returns; without WebGPU it stays at zero. */
export function countGpuWork(): GpuWork {
  const work: GpuWork = { dispatches: 0, submits: 0 };
  if (!('GPUQueue' in globalThis)) return work;
  onEveryCall(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', () => work.dispatches++);
  onEveryCall(GPUQueue.prototype, 'submit', () => work.submits++);
  return work;
}

function onEveryCall<T extends object>(prototype: T, name: keyof T, notify: () => void): void {
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== 'function') return;
  Reflect.set(prototype, name, function (this: T, ...args: unknown[]): unknown {
    notify();
    const result: unknown = Reflect.apply(original, this, args);
    return result;
  });
}
