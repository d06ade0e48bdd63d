/** Values of tensors, read from and written to wherever they are. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type BufferRange, gpuBuffer } from './buffer_range.ts';
import { onProcessor, onWebGpu, processor, tensorMemory, webgpu } from './state.ts';
import { flushTfjs, residence } from './tfjs_private.ts';
import { readbackUsage } from './usage.ts';
import { byteLengthOf, copyValues, decodeValues, encodeValues, type Values } from './values.ts';

/**
 * Reads tensors back, in one copy on WebGPU. tfjs's `data()` is not used there, because it caches
 * values on the CPU, and kernels change tensors in place.
 */
export async function readback(tensors: readonly Tensor[]): Promise<Values[]> {
  if (onProcessor()) return tensors.map(readFromProcessor);
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
      if (source.on === 'device') {
        const { range } = source;
        const from = gpuBuffer(range.buffer);
        encoder.copyBufferToBuffer(from, range.offset, staging, offset, size);
      }
      return { tensor, source, offset };
    });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    return sources.map(({ tensor, source, offset }) =>
      source.on === 'host'
        ? copyValues(tensor, source.values)
        : decodeValues(tensor, bytes, offset),
    );
  } finally {
    staging.destroy();
  }
}

/** `readback` without waiting, on the processor only; elsewhere null. */
export function readbackNow(tensors: readonly Tensor[]): Values[] | null {
  return onProcessor() ? tensors.map(readFromProcessor) : null;
}

/** A copy of the values, which are in memory or have not been written to it yet. */
function readFromProcessor(tensor: Tensor): Values {
  return copyValues(tensor, processor().readSync(tensor.dataId));
}

/**
 * Writes values into a tensor in place, after all work submitted before and ahead of all work
 * submitted later. Own kernels only. Throws a RangeError if the number of values is wrong.
 */
export function writeTensor(tensor: Tensor, values: Values): void {
  if (values.length !== tensor.size)
    throw new RangeError(`The tensor holds ${tensor.size} values, got ${values.length}.`);
  const memory = tensorMemory();
  memory.write(memory.ensure(tensor), encodeValues(tensor, values));
}

/** Where a tensor's values lie, such as for a copy into a ring. Throws if they lie nowhere. */
export function rangeOfTensor(tensor: Tensor): BufferRange {
  const where = tensorMemory().residence(tensor);
  if (where.on !== 'device') throw new Error('This tensor is not in the memory of the device.');
  return { ...where.range, size: byteLengthOf(tensor) };
}
