/** The tfjs kernels that traced programs of our own kernels call: clones and reshapes. */
import type { KernelConfig } from '@tensorflow/tfjs-core';
import { identityConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Identity.js';
import { reshapeConfig } from '@tensorflow/tfjs-backend-webgpu/dist/kernels/Reshape.js';

export const FEW_KERNELS: readonly KernelConfig[] = [identityConfig, reshapeConfig];
