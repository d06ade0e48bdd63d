/** What the page shows when a rank cannot do what was asked. */
import { RankLost, ReducerStopped } from '../../parallel/index.ts';
import type { PlainError } from '../../protocol/index.ts';
import { LossExploded } from '../../train/index.ts';
import { DeviceLost, plainError } from '../plain_errors.ts';
import { CannotOpenRank } from './cannot_open_rank.ts';

/** Ranks are not opened again by themselves: they would need as much memory as before. */
const LOST_HINTS = {
  gpu: 'All ranks share one GPU: take fewer ranks, a smaller model or batch, or the processor under Device.',
  processor: 'Take fewer ranks, or close other tabs.',
} as const;

/** The sentence of an error of a rank, or that of `plainError`; its hint says how ranks go on. */
export function rankError(error: unknown): PlainError {
  if (error instanceof RankLost || error instanceof ReducerStopped) {
    const code = error instanceof RankLost ? 'rank_lost' : 'reducer_stopped';
    const hint = 'Start the ranks again; what was saved is complete.';
    return { code, message: error.message, hint };
  }
  if (error instanceof DeviceLost) return { ...plainError(error), hint: LOST_HINTS[error.what] };
  if (error instanceof LossExploded) {
    const hint = 'Start again with a lower learning_rate.';
    return { code: 'loss_exploded', message: error.message, hint };
  }
  // A mesh that the model or the batch cannot be divided by: the sentence says what to set.
  if (error instanceof RangeError) {
    return { code: 'mesh', message: error.message, hint: 'Then start the ranks again.' };
  }
  if (error instanceof CannotOpenRank) {
    const { message, hint } = error;
    return { code: 'rank_refused', message, hint };
  }
  return plainError(error);
}
