/** What both directions of attention are told. */
import type { Heads } from '../heads/layout.ts';

export interface AttentionAttrs extends Heads {
  B: number;
  T: number;
  /** Query i sees keys j with i - window < j <= i (Mistral's sliding window); 0 means all j <= i. */
  window: number;
}
