/**
 * Registration of tfjs's WebGPU kernels. Programs of our own kernels need a few of them. All of
 * them are half of what a visitor would download, so they are loaded only for plain tfjs
 * (comparison, tests) and for operations without a kernel of ours (Muon).
 */
import { getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';

let loadingAll: Promise<unknown> | null = null;

/** Registers the few kernels, unless they are registered already. */
export async function loadFewKernels(): Promise<void> {
  if (loadingAll) return;
  const { FEW_KERNELS } = await import('./few_kernels.ts');
  for (const kernel of FEW_KERNELS)
    if (!getKernel(kernel.kernelName, 'webgpu')) registerKernel(kernel);
}

/** Registers all kernels. Throws if they can't be fetched; a later call tries again. */
export async function loadAllKernels(): Promise<void> {
  try {
    await (loadingAll ??= registerAll());
  } catch {
    loadingAll = null;
    throw new Error(
      'TensorFlow.js kernels that are needed here could not be fetched: ' +
        'connect to the network and try again.',
    );
  }
}

async function registerAll(): Promise<void> {
  const { FEW_KERNELS } = await import('./few_kernels.ts');
  // tfjs warns if a kernel is registered twice.
  for (const { kernelName } of FEW_KERNELS)
    if (getKernel(kernelName, 'webgpu')) unregisterKernel(kernelName, 'webgpu');
  await import('@tensorflow/tfjs-backend-webgpu/dist/register_all_kernels.js');
}

/** Whether the error is tfjs's report of a kernel that is not registered. */
export function lacksKernel(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^Kernel '\w+' not registered for backend 'webgpu'/u.test(error.message)
  );
}
