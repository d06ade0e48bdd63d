/** UTF-8 of a text, and the text of a stream of tokens. */
import type { Tokenizer } from '../types.ts';

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/**
 * Decodes tokens one by one. A character that is split across tokens comes with the token that
 * completes it.
 */
export class TokenStream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #tokenizer: Pick<Tokenizer, 'tokenBytes'>;

  constructor(tokenizer: Pick<Tokenizer, 'tokenBytes'>) {
    this.#tokenizer = tokenizer;
  }

  /** Returns the text that this token completes, which may be empty. */
  push(id: number): string {
    return this.#decoder.decode(this.#tokenizer.tokenBytes(id), { stream: true });
  }

  /** Returns U+FFFD if a character is incomplete, else ''. The stream can be used again. */
  end(): string {
    return this.#decoder.decode();
  }
}
