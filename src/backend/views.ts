/**
 * Tensors over a part of another tensor's buffer, which kernels read or write in place: rows of a
 * weight or of its gradient, or the start of scratch that is reused for something smaller. A view
 * shares its owner's values and must not outlive it. Only where there are kernels of ours.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange } from './buffer_range.ts';
import { bytesPerValue, storageOf, storeAsFloat16 } from './float16.ts';
import { state, tensorMemory } from './state.ts';
import { ownerOf, recordView, viewBy } from './viewed.ts';

/** Bindings begin at multiples of this (the default of `minStorageBufferOffsetAlignment`). */
const ALIGN = 256;

/**
 * The values of `tensor` from index `first` on, as a tensor of this shape, which the caller
 * disposes. Throws if the view does not begin at a multiple of 256 bytes or does not lie inside.
 */
export function viewOf(tensor: Tensor, shape: readonly number[], first = 0): Tensor {
  const bytes = bytesPerValue(tensor);
  const start = first * bytes;
  const size = shape.reduce((product, n) => product * n, 1);
  if (start % ALIGN !== 0)
    throw new Error(
      `A view cannot begin at byte ${start}: bindings begin at multiples of ${ALIGN}.`,
    );
  if (first < 0 || size < 1 || first + size > tensor.size)
    throw new RangeError(
      `[${shape.join(', ')}] from value ${first} on is not inside [${tensor.shape.join(', ')}].`,
    );
  const memory = tensorMemory();
  const owner = ownerOf(tensor);
  const offset = start + (viewBy(tensor)?.offset ?? 0);
  const view = memory.placeholder(shape, tensor.dtype);
  if (storageOf(tensor) === 'float16') storeAsFloat16(view);
  recordView(view, { owner, offset, size: size * bytes });
  const range = existingRange(owner);
  if (range)
    memory.bind(view, {
      buffer: range.buffer,
      offset: range.offset + offset,
      size: size * bytes,
    });
  return view;
}

/**
 * Where the tensor is. Null for a transient of the program being traced, which is placed later;
 * `Trace` then finds the view by its record.
 */
function existingRange(tensor: Tensor): BufferRange | null {
  const memory = tensorMemory();
  const where = memory.residence(tensor);
  if (where.on === 'device') return where.range;
  return state.trace ? null : memory.ensure(tensor);
}

/**
 * Rows [from, to) of a matrix, which the caller disposes. The first row must begin at a multiple of
 * 256 bytes.
 */
export function rowsOf(tensor: Tensor, from: number, to: number): Tensor {
  const [, width = 1] = tensor.shape;
  return viewOf(tensor, [to - from, width], from * width);
}
