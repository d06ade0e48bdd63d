/** Finds the id of a token by its bytes. */
import type { TokenBytes } from './token_bytes.ts';

/** Drawn once a process, so that nobody can make a vocabulary whose hashes collide. It changes no result. */
const SALT = Math.floor(Math.random() * 2 ** 32);

export class TokenIndex {
  private readonly tokens: TokenBytes;
  private readonly slots: Int32Array;

  constructor(tokens: TokenBytes) {
    this.tokens = tokens;
    this.slots = new Int32Array(1 << Math.ceil(Math.log2(Math.max(16, tokens.size * 2)))).fill(-1);
    for (let id = 0; id < tokens.size; id++) {
      const bytes = tokens.of(id);
      if (bytes.length > 0) this.slots[this.slot(bytes)] = id;
    }
  }

  /** -1 where no token has these bytes. */
  find(bytes: Uint8Array): number {
    return this.slots[this.slot(bytes)]!;
  }

  private slot(bytes: Uint8Array): number {
    const mask = this.slots.length - 1;
    let hash = SALT;
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.slots[slot]!;
      if (id < 0 || same(this.tokens.of(id), bytes)) return slot;
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
