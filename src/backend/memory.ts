/**
 * GPU memory, counted where it is made: at createBuffer and destroy of our own device.
 * `tf.memory()` does not see it.
 */
import { state } from './state.ts';
import { poolBytes } from './tfjs_private.ts';

export interface GpuMemory {
  /** Bytes of buffers that exist now. */
  allocated: number;
  /** Of these, bytes that do not wait in tfjs's pool to be used again. */
  live: number;
  /** The most that ever existed at once. */
  peak: number;
  buffers: number;
}
const now = { allocated: 0, peak: 0, buffers: 0 };

/** Bytes of GPU buffers of this worker's device. */
export function gpuMemory(): GpuMemory {
  const pool = state.webgpu ? poolBytes(state.webgpu) : { allocated: 0, used: 0 };
  return { ...now, live: now.allocated - (pool.allocated - pool.used) };
}

let submitted = 0;
/** Calls of this worker's GPU queue to run something, tfjs's too. */
export const queueSubmits = (): number => submitted;

/** Counts every submit of this device from now on. */
export function countSubmits({ queue }: GPUDevice): void {
  const submit = queue.submit.bind(queue);
  queue.submit = (buffers) => {
    submitted++;
    return submit(buffers);
  };
}

/** Counts every buffer of this device from now on. */
export function countBuffers(device: GPUDevice): void {
  Object.assign(now, { allocated: 0, peak: 0, buffers: 0 });
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    now.allocated += buffer.size;
    now.buffers++;
    now.peak = Math.max(now.peak, now.allocated);
    const destroy = buffer.destroy.bind(buffer);
    let alive = true;
    buffer.destroy = () => {
      if (alive) {
        now.allocated -= buffer.size;
        now.buffers--;
        alive = false;
      }
      return destroy();
    };
    return buffer;
  };
}
