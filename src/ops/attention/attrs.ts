/** What both directions of attention are told. */
import type { Heads } from '../heads/layout.ts';

export interface AttentionAttrs extends Heads {
  B: number;
  T: number;
  /**
   * Query i sees keys j with i - window < j <= i (Mistral's sliding window); 0 means all j <= i.
   */
  window: number;
}

/** Dropout of the softmax weights: its place in the model and its rate, as in `dropout`. */
export interface Dropout {
  site: number;
  rate: number;
}
export type AttentionDropoutAttrs = AttentionAttrs & Dropout;
