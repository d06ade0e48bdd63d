/**
 * The scale of the loss under mixed precision. A token's weight in the loss is 1 / tokens of the step (2^-13 at 8192), and what
 * comes back through the layers is that times the gradient of one token's loss; a half below 2^-14 loses digits and one below
 * 2^-25 is 0. So the backward pass starts from the sum over tokens (|dlogits| <= 1) times 2^8: what is 2^-22 of it is still a
 * half with all its digits, and 2^8 above it there is room before 65504.
 */
import { Store } from '../backend/index.ts';

const HEADROOM = 2 ** 8;

export interface LossScale {
  /** `scale` [1] and `clean_steps` [1], which the update moves on (ops/ `scaled_step_results`). */
  store: Store;
  /** Where the scale starts, a power of two; it is never larger. */
  max_scale: number;
}

export function createLossScale(tokens_per_step: number): LossScale {
  const store = new Store('loss scale', [{ name: 'scale', shape: [1] }, { name: 'clean_steps', shape: [1] }]);
  const max_scale = HEADROOM * 2 ** Math.floor(Math.log2(tokens_per_step));
  store.write('scale', Float32Array.of(max_scale));
  return { store, max_scale };
}
