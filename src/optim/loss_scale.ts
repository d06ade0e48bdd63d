/**
 * The scale of the loss under mixed precision. A token's weight in the loss is 1 / tokens of the
 * step (2^-13 at 8192), and what comes back through the layers is that times the gradient of one
 * token's loss; a half below 2^-14 loses digits and one below 2^-25 is 0. So the backward pass
 * starts from the sum over tokens (|dlogits| <= 1) times 2^8: what is 2^-22 of it is still a half
 * with all its digits, and 2^8 above it there is room before 65504.
 */
import type { LossScaleState } from '../common/index.ts';
import { Store } from '../backend/index.ts';

const HEADROOM = 2 ** 8;

export interface LossScale {
  /**
   * `scale` [1] and `counts` [2] (clean steps, skipped updates), which the update moves on (ops/
   * `scaled_step_results`).
   */
  store: Store;
  /** Where the scale starts, a power of two; it is never larger. */
  max_scale: number;
}

/** Begins at the largest scale, or where `from` left it. */
export function createLossScale(
  tokens_per_step: number,
  from: LossScaleState | null = null,
): LossScale {
  const store = new Store('loss scale', [
    { name: 'scale', shape: [1] },
    { name: 'counts', shape: [2] },
  ]);
  const max_scale = HEADROOM * 2 ** Math.floor(Math.log2(tokens_per_step));
  store.write('scale', Float32Array.of(Math.min(from?.scale ?? max_scale, max_scale)));
  store.write('counts', Float32Array.of(from?.clean_steps ?? 0, from?.skipped_updates ?? 0));
  return { store, max_scale };
}

/** As it is after all submitted updates. */
export async function readLossScale({ store }: LossScale): Promise<LossScaleState> {
  const values = await store.read();
  const [scale = NaN] = values.get('scale') ?? [];
  const [clean_steps = NaN, skipped_updates = NaN] = values.get('counts') ?? [];
  return { scale, clean_steps, skipped_updates };
}
