/**
 * Memory and submits of the device. On the GPU they are counted at the device's own functions,
 * because `tf.memory()` does not include our buffers; on the processor, in the engine's heap.
 */
import { state } from './state.ts';
import { poolBytes } from './tfjs_private.ts';

export interface GpuMemory {
  /** Bytes of all buffers that exist. */
  allocated: number;
  /** Allocated bytes except those that are free in tfjs's pool. */
  live: number;
  /** The maximum of `allocated` since the device was created. */
  peak: number;
  /** Number of buffers. */
  buffers: number;
}

const current = { allocated: 0, peak: 0, buffers: 0 };
let submitted = 0;

/** GPU memory of this worker's device. */
export function gpuMemory(): GpuMemory {
  const pool = state.webgpu ? poolBytes(state.webgpu) : { allocated: 0, used: 0 };
  return { ...current, live: current.allocated - (pool.allocated - pool.used) };
}

/** What runs hold on the device that computes by our kernels, in bytes. */
export interface DeviceMemory {
  /** Bytes that exist. */
  allocated: number;
  /** Bytes in use, without those that a pool keeps for reuse. */
  live: number;
}

/**
 * On WebGPU all buffers; on the processor all blocks of the engine's heap, except the scratch memory
 * of its threads, which is there before a run. Null on backends of tfjs's alone.
 */
export function deviceMemory(): DeviceMemory | null {
  if (state.webgpu) return gpuMemory();
  if (!state.processor) return null;
  const { allocated } = state.processor.engine.heap.use;
  return { allocated, live: allocated };
}

/** Number of submits to this worker's GPU queue, tfjs's included. */
export function queueSubmits(): number {
  return submitted;
}

/** Counts every submit of this device from now on. */
export function countSubmits({ queue }: GPUDevice): void {
  const submit = queue.submit.bind(queue);
  queue.submit = (buffers) => {
    submitted++;
    return submit(buffers);
  };
}

/** Resets the counters, and counts every buffer of this device from now on. */
export function countBuffers(device: GPUDevice): void {
  Object.assign(current, { allocated: 0, peak: 0, buffers: 0 });
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    current.allocated += buffer.size;
    current.buffers++;
    current.peak = Math.max(current.peak, current.allocated);
    countDestroy(buffer);
    return buffer;
  };
}

function countDestroy(buffer: GPUBuffer): void {
  const destroy = buffer.destroy.bind(buffer);
  let alive = true;
  buffer.destroy = () => {
    if (alive) {
      current.allocated -= buffer.size;
      current.buffers--;
      alive = false;
    }
    return destroy();
  };
}
