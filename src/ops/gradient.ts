/** Shared by gradient functions. */
import type { Tensor } from '@tensorflow/tfjs-core';

/**
 * The gradient of an output. Throws if it is missing, which cannot happen for an operation with one
 * differentiable output: the tape calls its gradient functions only when that gradient exists.
 */
export function required(dy: Tensor | undefined): Tensor {
  if (!dy) throw new Error('A gradient was requested before the gradient of the output exists.');
  return dy;
}
