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
  /**
   * Where the heads here are among those of the whole model (tensor parallelism), so that each head
   * draws the mask that it draws there. By default they are all heads.
   */
  heads?: HeadRange | undefined;
}

/** Query heads `first`, `first` + 1, ... of `count` in the whole model. */
export interface HeadRange {
  first: number;
  count: number;
}
export type AttentionDropoutAttrs = AttentionAttrs & Dropout;
