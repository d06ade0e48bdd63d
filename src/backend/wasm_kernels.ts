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

function isTensor(value: TensorInfo | TensorInfo[] | undefined): value is TensorInfo {
  return value !== undefined && !Array.isArray(value);
}

/**
 * x [N, ...], segmentIds [N] -> [numSegments, ...]: sums the rows of x by id, in their order. Rows
 * with an id out of range are ignored.
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
    throw new TypeError('UnsortedSegmentSum needs two tensors of the wasm backend.');
  }
  const shape = [segments, ...x.shape.slice(segmentIds.shape.length)];
  const width = util.sizeFromShape(shape.slice(1));
  const out = backend.makeOutput(shape, x.dtype);
  const sums = backend.typedArrayFromHeap(out);
  const values = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  sums.fill(0);
  ids.forEach((id: number, row: number) => {
    if (id < 0 || id >= segments) return;
    const to = id * width;
    const from = row * width;
    for (let j = 0; j < width; j++) sums[to + j] = (sums[to + j] ?? 0) + (values[from + j] ?? 0);
  });
  return out;
};

/** Call it before the wasm backend is used. */
export function registerWasmKernels(): void {
  if (getKernel('UnsortedSegmentSum', 'wasm')) return;
  registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'wasm',
    kernelFunc: unsortedSegmentSum,
  });
}
