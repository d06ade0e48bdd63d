/** How messages become tokens, by our template or a brought one. */
import type { Message } from '../../common/index.ts';
import type { EncodedExample } from '../stages/types.ts';

export interface Conversation {
  /** Ends an assistant's turn. */
  eos_token_id: number;
  encode(messages: readonly Message[], options: { add_generation_prompt: boolean }): Int32Array;
  /** The mask is 1 for what an assistant says and the end token of its turns. */
  encodeMasked(messages: readonly Message[]): EncodedExample;
}

/** A mask that is 1 in spans [start, end). */
export function maskOf(length: number, spans: readonly (readonly [number, number])[]): Uint8Array {
  const mask = new Uint8Array(length);
  for (const [start, end] of spans) mask.fill(1, start, end);
  return mask;
}
