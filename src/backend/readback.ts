/** Values of tensors, read from and written to wherever they are. */
import { type Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange } from './buffer_range.ts';
import { onWebGpu, webgpu } from './state.ts';
import { ensureOnGpu, flushTfjs, residence } from './tfjs_private.ts';
import { readbackUsage } from './usage.ts';
import { byteLengthOf, copyValues, decodeValues, encodeValues, type Values } from './values.ts';

/**
 * Reads tensors back, in one copy on WebGPU. tfjs's `data()` is not used there, because it caches
 * values on the CPU, and kernels change tensors in place.
 */
export async function readback(tensors: readonly Tensor[]): Promise<Values[]> {
  if (!onWebGpu())
    return Promise.all(tensors.map(async (tensor) => copyValues(tensor, await tensor.data())));
  const { backend, device } = webgpu();
  flushTfjs(backend);
  const total = tensors.reduce((sum, tensor) => sum + byteLengthOf(tensor), 0);
  if (total === 0) return [];
  const staging = device.createBuffer({ label: 'readback', size: total, usage: readbackUsage() });
  try {
    const encoder = device.createCommandEncoder();
    let end = 0;
    const sources = tensors.map((tensor) => {
      const source = residence(backend, tensor.dataId);
      const offset = end;
      const size = byteLengthOf(tensor);
      end += size;
      if (source.on === 'gpu') {
        const { range } = source;
        encoder.copyBufferToBuffer(range.buffer, range.offset, staging, offset, size);
      }
      return { tensor, source, offset };
    });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    return sources.map(({ tensor, source, offset }) =>
      source.on === 'cpu' ? copyValues(tensor, source.values) : decodeValues(tensor, bytes, offset),
    );
  } finally {
    staging.destroy();
  }
}

/**
 * Writes values into a tensor in place, after all work submitted before and ahead of all work
 * submitted later. WebGPU only. Throws a RangeError if the number of values is wrong.
 */
export function writeTensor(tensor: Tensor, values: Values): void {
  if (values.length !== tensor.size)
    throw new RangeError(`The tensor holds ${tensor.size} values, got ${values.length}.`);
  const { backend, device } = webgpu();
  const range = ensureOnGpu(backend, tensor.dataId);
  const data = encodeValues(tensor, values);
  flushTfjs(backend);
  device.queue.writeBuffer(
    range.buffer,
    range.offset,
    data.buffer,
    data.byteOffset,
    data.byteLength,
  );
}

/** Where a tensor's values lie on the GPU, such as for a copy into a ring. Throws elsewhere. */
export function rangeOfTensor(tensor: Tensor): BufferRange {
  const where = residence(webgpu().backend, tensor.dataId);
  if (where.on !== 'gpu') throw new Error('This tensor is not on the GPU.');
  return { ...where.range, size: byteLengthOf(tensor) };
}
