/**
 * Which of tfjs's WebGPU kernels there are. Programs of our own kernels need a handful; all of them
 * are half of what a visitor would download, and come only for plain tfjs (comparison, tests) and
 * for what is not fused (Muon).
 */
import { getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';

let all: Promise<unknown> | null = null;

/** Registers the few, unless they are there. */
export async function loadFewKernels(): Promise<void> {
  if (all) return;
  const { FEW_KERNELS } = await import('./few_kernels.ts');
  for (const k of FEW_KERNELS) if (!getKernel(k.kernelName, 'webgpu')) registerKernel(k);
}

/** Registers all of them. Throws one sentence where they can't be fetched. */
export async function loadAllKernels(): Promise<void> {
  try {
    await (all ??= register());
  } catch {
    all = null;
    throw new Error(
      'The kernels of TensorFlow.js that this needs could not be fetched: connect to the network and try again.',
    );
  }
}

async function register(): Promise<void> {
  const { FEW_KERNELS } = await import('./few_kernels.ts');
  // tfjs warns of a kernel that is registered twice.
  for (const k of FEW_KERNELS)
    if (getKernel(k.kernelName, 'webgpu')) unregisterKernel(k.kernelName, 'webgpu');
  await import('@tensorflow/tfjs-backend-webgpu/dist/register_all_kernels.js');
}

/** Whether an error of tfjs says that a kernel is missing. */
export const lacksKernel = (error: unknown): boolean =>
  error instanceof Error &&
  /^Kernel '\w+' not registered for backend 'webgpu'/u.test(error.message);
