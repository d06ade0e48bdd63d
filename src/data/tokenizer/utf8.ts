/** Text to bytes, and a stream of tokens to text. */
import type { Tokenizer } from '../types.ts';

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/**
 * Turns tokens into text one by one; a character cut across tokens comes with the token that
 * completes it.
 */
export class TokenStream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #tokenizer: Pick<Tokenizer, 'tokenBytes'>;

  constructor(tokenizer: Pick<Tokenizer, 'tokenBytes'>) {
    this.#tokenizer = tokenizer;
  }

  /** Text that this token completes, which may be empty. */
  push(id: number): string {
    return this.#decoder.decode(this.#tokenizer.tokenBytes(id), { stream: true });
  }

  /**
   * What is left: U+FFFD for a character that was never completed. The stream can be used again.
   */
  end(): string {
    return this.#decoder.decode();
  }
}
