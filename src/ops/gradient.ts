/** What gradient functions share. */
import type { Tensor } from '@tensorflow/tfjs-core';

/**
 * The gradient of an output that the gradient cannot do without; the walker asks only where there
 * is one.
 */
export function required(dy: Tensor | undefined): Tensor {
  if (!dy) throw new Error('A gradient was asked for before the gradient of the output was there.');
  return dy;
}
