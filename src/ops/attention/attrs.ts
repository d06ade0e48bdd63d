/** Attributes of the attention operations. */
import type { Heads } from '../heads/layout.ts';

export interface AttentionAttrs extends Heads {
  /** Sequences in the batch. */
  B: number;
  /** Tokens per sequence. */
  T: number;
  /**
   * Sliding window (Mistral 7B): query i attends to the keys i - window < j <= i. 0 means no
   * window.
   */
  window: number;
}

/** Dropout of the softmax weights, as in `dropout`: the site seeds the mask, the rate is p. */
export interface Dropout {
  site: number;
  rate: number;
}
export type AttentionDropoutAttrs = AttentionAttrs & Dropout;
