/** Finds the id of a token by its bytes. */
import type { TokenBytes } from './token_bytes.ts';

/**
 * Random per process, so that nobody can craft a vocabulary whose hashes collide. Affects no result.
 */
const SALT = Math.floor(Math.random() * 2 ** 32);

/** A hash table with linear probing. Tokens without bytes are not found. */
export class TokenIndex {
  readonly #tokens: TokenBytes;
  readonly #slots: Int32Array;

  constructor(tokens: TokenBytes) {
    this.#tokens = tokens;
    this.#slots = new Int32Array(1 << Math.ceil(Math.log2(Math.max(16, tokens.size * 2)))).fill(-1);
    const { pool, start } = tokens;
    for (let id = 0; id < tokens.size; id++) {
      const from = start[id]!;
      const to = start[id + 1]!;
      if (to > from) this.#slots[this.#slot(pool, from, to)] = id;
    }
  }

  /** Id of the token with bytes[from..to), or -1 if there is none. */
  find(bytes: Uint8Array, from: number, to: number): number {
    return this.#slots[this.#slot(bytes, from, to)]!;
  }

  #slot(bytes: Uint8Array, from: number, to: number): number {
    const mask = this.#slots.length - 1;
    let hash = SALT;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id < 0 || this.#same(id, bytes, from, to)) return slot;
    }
  }

  #same(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { pool, start } = this.#tokens;
    const first = start[id]!;
    if (start[id + 1]! - first !== to - from) return false;
    for (let i = from; i < to; i++) if (pool[first + i - from] !== bytes[i]) return false;
    return true;
  }
}
