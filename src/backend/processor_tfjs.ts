/**
 * Registers the tfjs kernels of the engine on the processor. Identity and Reshape are here, because
 * every program calls them; their results share the values of x. `processor_plain.ts` has the others.
 */
import {
  getKernel,
  type KernelConfig,
  registerKernel,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { MissingPart } from '../common/index.ts';
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

/**
 * Registers all kernels. Call it before the backend is used.
 *
 * @throws MissingPart if they cannot be downloaded.
 */
export async function registerProcessorKernels(): Promise<void> {
  for (const kernel of [identity, reshape, ...(await loadPlainKernels())])
    if (!getKernel(kernel.kernelName, PROCESSOR)) registerKernel(kernel);
}

/** Imported here, so that visitors with WebGPU do not download them. */
async function loadPlainKernels(): Promise<readonly KernelConfig[]> {
  try {
    return (await import('./processor_plain.ts')).PLAIN_KERNELS;
  } catch (cause) {
    throw new MissingPart('The code for the processor could not be downloaded.', { cause });
  }
}
