/**
 * Tensors over a part of another tensor's buffer, for kernels to read or to write in place: rows of
 * a weight or of its gradient, the front of scratch that is used again for something smaller. Its
 * values are the other tensor's; it must not outlive them. WebGPU alone.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { storageOf, storeAsHalves } from './halves.ts';
import { state, webgpu } from './state.ts';
import { bindRange, ensureOnGpu, placeholder, residence } from './tfjs_private.ts';
import { noteView, ownerOf, viewBy } from './viewed.ts';

/**
 * A binding begins at a multiple of this (`minStorageBufferOffsetAlignment`, as WebGPU promises
 * it).
 */
const ALIGN = 256;

const bytesPerValue = (t: Tensor): number => (storageOf(t) === 'float16' ? 2 : 4);

/**
 * The values of `t` from the `first`-th on, as a tensor of this shape that the caller disposes.
 * `first` is a multiple of 256 bytes.
 */
export function viewOf(t: Tensor, shape: readonly number[], first = 0): Tensor {
  const each = bytesPerValue(t);
  const owner = ownerOf(t);
  const start = first * each;
  const size = shape.reduce((a, b) => a * b, 1);
  if (start % ALIGN !== 0)
    throw new Error(
      `A view cannot begin at byte ${start}: bindings begin at multiples of ${ALIGN}.`,
    );
  if (first < 0 || size < 1 || first + size > t.size)
    throw new RangeError(
      `[${shape.join(', ')}] from value ${first} on is not inside [${t.shape.join(', ')}].`,
    );
  const { backend } = webgpu();
  const view = { owner, offset: start + (viewBy(t)?.offset ?? 0), size: size * each };
  const made = placeholder(backend, shape, t.dtype);
  if (each === 2) storeAsHalves(made);
  noteView(made, view);
  // What a trace has not placed yet, it places later: `Trace` looks the view up.
  const where = residence(backend, owner.dataId);
  const range =
    where.on === 'gpu' ? where.range : state.trace ? null : ensureOnGpu(backend, owner.dataId);
  if (range)
    bindRange(backend, made.dataId, {
      buffer: range.buffer,
      offset: range.offset + view.offset,
      size: view.size,
    });
  return made;
}

/**
 * Rows [from, to) of a matrix, whose first must begin at a multiple of 256 bytes. The caller
 * disposes it.
 */
export function rowsOf(t: Tensor, from: number, to: number): Tensor {
  const [, width = 1] = t.shape;
  return viewOf(t, [to - from, width], from * width);
}
