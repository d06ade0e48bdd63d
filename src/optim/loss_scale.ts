/**
 * The dynamic loss scale of mixed precision.
 *
 * A token's weight in the loss is 1 / tokens of the step (2^-13 for 8192 tokens), and its gradients
 * are that small. float16 loses digits below 2^-14 and underflows to zero below 2^-25. The scale
 * therefore starts at 2^8 times the number of tokens, rounded down to a power of two: the backward
 * pass then starts from the sum over tokens, where |dlogits| <= 1, times 2^8. Gradients down to
 * 2^-22 of that keep all their digits, and there is a factor of 2^8 left below float16's largest
 * number, 65504.
 */
import type { LossScaleState } from '../common/index.ts';
import { Store } from '../backend/index.ts';

const HEADROOM = 2 ** 8;

export interface LossScale {
  /**
   * `scale` [1] and `counts` [2] (steps since the scale last changed, skipped updates). Each update
   * advances them on the device (`scaled_step_results` of src/ops).
   */
  store: Store;
  /** The initial scale, a power of two. The scale never exceeds it. */
  max_scale: number;
}

/** Starts at the largest scale, or at the state `from` of a checkpoint. */
export function createLossScale(
  tokens_per_step: number,
  from: LossScaleState | null = null,
): LossScale {
  const store = new Store('loss scale', [
    { name: 'scale', shape: [1] },
    { name: 'counts', shape: [2] },
  ]);
  const max_scale = HEADROOM * 2 ** Math.floor(Math.log2(tokens_per_step));
  const scale = Math.min(from?.scale ?? max_scale, max_scale);
  store.write('scale', Float32Array.of(scale));
  store.write('counts', Float32Array.of(from?.clean_steps ?? 0, from?.skipped_updates ?? 0));
  return { store, max_scale };
}

/** Reads the state after all submitted updates. */
export async function readLossScale({ store }: LossScale): Promise<LossScaleState> {
  const values = await store.read();
  const [scale = NaN] = values.get('scale') ?? [];
  const [clean_steps = NaN, skipped_updates = NaN] = values.get('counts') ?? [];
  return { scale, clean_steps, skipped_updates };
}
