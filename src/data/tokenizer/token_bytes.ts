/** UTF-8 bytes of every token of a vocabulary, in one buffer. */
import { DataError } from '../errors.ts';
import { Ints } from './ints.ts';

// A byte order mark within a text is an ordinary character.
const lossyUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class TokenBytes {
  readonly pool: Uint8Array;
  /** The bytes of token i are pool[start[i]] to pool[start[i + 1] - 1]. */
  readonly start: Int32Array;

  constructor(pool: Uint8Array, start: Int32Array) {
    this.pool = pool;
    this.start = start;
  }

  static from(tokens: readonly Uint8Array[]): TokenBytes {
    const builder = new TokenBytesBuilder();
    for (const token of tokens) builder.push(token, 0, token.length);
    return builder.build();
  }

  get size(): number {
    return this.start.length - 1;
  }

  /**
   * The bytes of a token, as a view.
   *
   * @throws DataError token_out_of_range
   */
  of(id: number): Uint8Array {
    this.#check(id);
    return this.pool.subarray(this.start[id], this.start[id + 1]);
  }

  /**
   * Text of a list of tokens; bytes that are not UTF-8 become U+FFFD.
   *
   * @throws DataError token_out_of_range
   */
  decode(ids: ArrayLike<number>): string {
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      this.#check(ids[i]!);
      length += this.start[ids[i]! + 1]! - this.start[ids[i]!]!;
    }
    const joined = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      const end = this.start[ids[i]! + 1]!;
      for (let from = this.start[ids[i]!]!; from < end; from++) joined[at++] = this.pool[from]!;
    }
    return lossyUtf8.decode(joined);
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    throw new DataError(
      'token_out_of_range',
      `Token id ${id} is outside the vocabulary of ${this.size}.`,
      'Use the tokenizer that the model was trained with.',
    );
  }
}

export class TokenBytesBuilder {
  #pool = new Uint8Array(1024);
  #length = 0;
  readonly #start = new Ints();

  constructor() {
    this.#start.push(0);
  }

  /** Adds the token bytes[from..to). */
  push(bytes: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    for (let i = from; i < to; i++) this.#pool[this.#length + i - from] = bytes[i]!;
    this.#end(to - from);
  }

  /** Adds the concatenation of two tokens that were added before. */
  pushJoined(left: number, right: number): void {
    const { data } = this.#start;
    const leftLength = data[left + 1]! - data[left]!;
    const rightLength = data[right + 1]! - data[right]!;
    this.#reserve(leftLength + rightLength);
    this.#pool.copyWithin(this.#length, data[left]!, data[left]! + leftLength);
    this.#pool.copyWithin(this.#length + leftLength, data[right]!, data[right]! + rightLength);
    this.#end(leftLength + rightLength);
  }

  build(): TokenBytes {
    return new TokenBytes(this.#pool.slice(0, this.#length), this.#start.toArray());
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#pool.length) return;
    const grown = new Uint8Array(Math.max(this.#length + count, this.#pool.length * 2));
    grown.set(this.#pool.subarray(0, this.#length));
    this.#pool = grown;
  }

  /** Ends a token whose bytes have been written. */
  #end(count: number): void {
    this.#length += count;
    this.#start.push(this.#length);
  }
}
