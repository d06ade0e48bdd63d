/** The memory of the WebGPU device, through tfjs's backend. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { gpuBuffer } from './buffer_range.ts';
import type { TensorMemory } from './tensor_memory.ts';
import { bindRange, ensureOnGpu, flushTfjs, placeholder, residence } from './tfjs_private.ts';
import { storageUsage } from './usage.ts';

/**
 * Bytes of one `writeBuffer`. Chromium gives every large write memory of its own, of which each page
 * has to be mapped first; small ones go through a ring (cold, 342 MB in 0.1 to 0.2 s instead of 0.3
 * to 0.9).
 */
const WRITE_BYTES = 2 ** 20;

export function gpuTensorMemory(backend: WebGPUBackend, device: GPUDevice): TensorMemory {
  return {
    largest: device.limits.maxStorageBufferBindingSize,
    placeholder: (shape, dtype) => placeholder(backend, shape, dtype),
    bind: ({ dataId }, range) => bindRange(backend, dataId, range),
    residence: ({ dataId }) => residence(backend, dataId),
    ensure: ({ dataId }) => ensureOnGpu(backend, dataId),
    references: ({ dataId }) => backend.refCount(dataId),
    createBuffer: (label, bytes) =>
      device.createBuffer({
        label,
        size: Math.ceil(Math.max(bytes, 4) / 16) * 16,
        usage: storageUsage(),
      }),
    write: ({ buffer, offset }, data) => {
      flushTfjs(backend);
      const bytes = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
      const { byteOffset, byteLength } = bytes;
      for (let done = 0; done < byteLength; done += WRITE_BYTES) {
        const size = Math.min(WRITE_BYTES, byteLength - done);
        const from = byteOffset + done;
        device.queue.writeBuffer(gpuBuffer(buffer), offset + done, bytes.buffer, from, size);
      }
    },
  };
}
