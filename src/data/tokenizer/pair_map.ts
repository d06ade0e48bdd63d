/** Random per process, so that nobody can craft merges whose hashes collide. Affects no result. */
const SALT = Math.floor(Math.random() * 2 ** 32);

/**
 * Maps pairs of token ids to non-negative integers: open addressing with linear probing over typed
 * arrays. A Map whose keys are numbers made of both ids would allocate every key above 2^30.
 */
export class PairMap {
  #left: Int32Array;
  #right: Int32Array;
  #value: Int32Array;
  #size = 0;

  /** @param expected Number of pairs to make room for. */
  constructor(expected = 1024) {
    const slots = 1 << Math.ceil(Math.log2(Math.max(16, expected * 2)));
    this.#left = new Int32Array(slots);
    this.#right = new Int32Array(slots);
    this.#value = new Int32Array(slots).fill(-1);
  }

  /** Returns the value of a pair, or -1 if it has none. */
  get(left: number, right: number): number {
    return this.#value[this.#slot(left, right)]!;
  }

  set(left: number, right: number, value: number): void {
    const slot = this.#slot(left, right);
    if (this.#value[slot]! < 0) {
      this.#left[slot] = left;
      this.#right[slot] = right;
      this.#size++;
    }
    this.#value[slot] = value;
    if (this.#size * 2 > this.#value.length) this.#grow();
  }

  /** The slot of the pair, or the empty slot for it. */
  #slot(left: number, right: number): number {
    const mask = this.#value.length - 1;
    let hash = Math.imul(Math.imul(left ^ SALT, 0x9e3779b1) ^ right, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      if (this.#value[slot]! < 0 || (this.#left[slot] === left && this.#right[slot] === right))
        return slot;
    }
  }

  #grow(): void {
    const left = this.#left;
    const right = this.#right;
    const value = this.#value;
    this.#left = new Int32Array(left.length * 2);
    this.#right = new Int32Array(left.length * 2);
    this.#value = new Int32Array(left.length * 2).fill(-1);
    this.#size = 0;
    for (let slot = 0; slot < value.length; slot++) {
      if (value[slot]! >= 0) this.set(left[slot]!, right[slot]!, value[slot]!);
    }
  }
}
