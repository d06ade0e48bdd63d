/**
 * Kernels that tfjs's wasm backend lacks, in JavaScript over the wasm heap: UnsortedSegmentSum,
 * without which an embedding has no gradient there.
 */
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import {
  getKernel,
  type KernelFunc,
  registerKernel,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';

const isTensor = (t: TensorInfo | TensorInfo[] | undefined): t is TensorInfo =>
  t !== undefined && !Array.isArray(t);

/**
 * x [N, ...], segmentIds [N] -> [numSegments, ...]: rows of x summed by id, in their order; ids
 * outside are left out.
 */
const unsortedSegmentSum: KernelFunc = ({ inputs, backend, attrs }) => {
  const { x, segmentIds } = inputs;
  const segments = attrs?.numSegments;
  if (
    !isTensor(x) ||
    !isTensor(segmentIds) ||
    typeof segments !== 'number' ||
    !(backend instanceof BackendWasm)
  ) {
    throw new TypeError(
      'UnsortedSegmentSum was called with something else than tensors of the wasm backend.',
    );
  }
  const shape = [segments, ...x.shape.slice(segmentIds.shape.length)];
  const width = util.sizeFromShape(shape.slice(1));
  const out = backend.makeOutput(shape, x.dtype);
  const sums = backend.typedArrayFromHeap(out);
  const values = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  sums.fill(0);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] ?? -1;
    if (id < 0 || id >= segments) continue;
    for (let j = 0, to = id * width, from = i * width; j < width; j++)
      sums[to + j] = (sums[to + j] ?? 0) + (values[from + j] ?? 0);
  }
  return out;
};

/** To be called once, before the wasm backend is used. */
export function registerWasmKernels(): void {
  if (!getKernel('UnsortedSegmentSum', 'wasm'))
    registerKernel({
      kernelName: 'UnsortedSegmentSum',
      backendName: 'wasm',
      kernelFunc: unsortedSegmentSum,
    });
}
