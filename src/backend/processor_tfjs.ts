/**
 * The tfjs kernels of the engine on the processor that programs of our own kernels call: clones and
 * reshapes, which share their values.
 */
import {
  getKernel,
  type KernelConfig,
  registerKernel,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { PROCESSOR, ProcessorBackend } from './processor_memory.ts';

const identity: KernelConfig = {
  kernelName: 'Identity',
  backendName: PROCESSOR,
  kernelFunc: ({ inputs, backend }) => {
    const x = tensorOf(inputs.x, backend);
    return shared(x.tensor, x.backend, x.tensor.shape);
  },
};

const reshape: KernelConfig = {
  kernelName: 'Reshape',
  backendName: PROCESSOR,
  kernelFunc: ({ inputs, backend, attrs }) => {
    const x = tensorOf(inputs.x, backend);
    const size = util.sizeFromShape(x.tensor.shape);
    const shape = attrs?.shape;
    if (!Array.isArray(shape)) throw new TypeError('Reshape needs a shape.');
    return shared(x.tensor, x.backend, util.inferFromImplicitShape(shape.map(Number), size));
  },
};

function tensorOf(
  input: TensorInfo | TensorInfo[] | undefined,
  backend: unknown,
): { tensor: TensorInfo; backend: ProcessorBackend } {
  if (!input || Array.isArray(input) || !(backend instanceof ProcessorBackend))
    throw new TypeError('This kernel needs one tensor of the engine on the processor.');
  return { tensor: input, backend };
}

function shared(x: TensorInfo, backend: ProcessorBackend, shape: number[]): TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape, dtype: x.dtype };
}

/** Call it before the backend is used. */
export function registerProcessorKernels(): void {
  for (const kernel of [identity, reshape])
    if (!getKernel(kernel.kernelName, PROCESSOR)) registerKernel(kernel);
}
