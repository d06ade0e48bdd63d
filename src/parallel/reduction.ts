/** How the gradients of the ranks that compute different rows become one. */
import type { SquaredNorms } from './norm.ts';

export interface Reduction {
  /**
   * Waits until the sums over all ranks are where the update reads them, and adds the squares of what
   * this rank owns to `norms`. Called once a step, after the last micro-batch.
   */
  finish(norms: SquaredNorms): Promise<void>;
}
