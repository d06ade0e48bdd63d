/** What the loop of a rank needs of the reduction of gradients, whatever the stage of ZeRO. */
import type { SquaredNorms } from './norm.ts';

/** Sums the gradients of the ranks that compute different rows. */
export interface Reduction {
  /**
   * Waits until the sums over all ranks are in the store that the update reads, and adds the squares of
   * those that this rank owns to `norms`. Called once a step, after the last micro-batch.
   *
   * @throws RankLost if another rank is gone or does not answer
   */
  finish(norms: SquaredNorms): Promise<void>;
}
