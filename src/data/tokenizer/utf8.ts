/** Bytes and text: whole, and as a stream of tokens. */
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';

const encoder = new TextEncoder();
// A byte order mark in the middle of a text is a character like any other.
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** Text of a list of tokens; bytes that are not UTF-8 become U+FFFD. @throws DataError token_out_of_range */
export function decodeTokens(ids: ArrayLike<number>, bytes: readonly Uint8Array[]): string {
  let length = 0;
  for (let i = 0; i < ids.length; i++) length += tokenOf(ids[i] ?? -1, bytes).length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const token = tokenOf(ids[i] ?? -1, bytes);
    joined.set(token, at);
    at += token.length;
  }
  return lossy.decode(joined);
}

/** @throws DataError token_out_of_range */
export function tokenOf(id: number, bytes: readonly Uint8Array[]): Uint8Array {
  return bytes[id] ?? outOfRange(id, bytes.length);
}

/** @throws DataError token_out_of_range */
export function outOfRange(id: number, vocab_size: number): never {
  throw new DataError('token_out_of_range', `Token id ${id} is outside the vocabulary of ${vocab_size}.`,
    'Use the tokenizer that the model was trained with.');
}

/** Turns tokens into text one by one; a character cut across tokens comes with the token that completes it. */
export class TokenStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly tokenizer: Pick<Tokenizer, 'tokenBytes'>;

  constructor(tokenizer: Pick<Tokenizer, 'tokenBytes'>) {
    this.tokenizer = tokenizer;
  }

  /** Text that this token completes, which may be empty. */
  push(id: number): string {
    return this.decoder.decode(this.tokenizer.tokenBytes(id), { stream: true });
  }

  /** What is left: U+FFFD for a character that was never completed. The stream can be used again. */
  end(): string {
    return this.decoder.decode();
  }
}
