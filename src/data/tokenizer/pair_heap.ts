/**
 * Candidates for the next merge, the most frequent first; among equals the one with the smaller left
 * id, then the smaller right id.
 */
import { Ints } from './ints.ts';

/** A binary heap of (count, key). The trainer checks for outdated counts when it takes entries out. */
export class PairHeap {
  readonly #counts = new Ints();
  readonly #keys = new Ints();

  get size(): number {
    return this.#keys.length;
  }

  push(count: number, key: number): void {
    let slot = this.#keys.push(key);
    this.#counts.push(count);
    const counts = this.#counts.data;
    const keys = this.#keys.data;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!before(count, key, counts[parent]!, keys[parent]!)) break;
      counts[slot] = counts[parent]!;
      keys[slot] = keys[parent]!;
      slot = parent;
    }
    counts[slot] = count;
    keys[slot] = key;
  }

  /** Removes and returns the first entry; the heap must not be empty. */
  pop(): { count: number; key: number } {
    const counts = this.#counts.data;
    const keys = this.#keys.data;
    const top = { count: counts[0]!, key: keys[0]! };
    const size = --this.#keys.length;
    this.#counts.length = size;
    const count = counts[size]!;
    const key = keys[size]!;
    let slot = 0;
    for (let child = 1; child < size; child = 2 * slot + 1) {
      if (
        child + 1 < size &&
        before(counts[child + 1]!, keys[child + 1]!, counts[child]!, keys[child]!)
      )
        child++;
      if (!before(counts[child]!, keys[child]!, count, key)) break;
      counts[slot] = counts[child]!;
      keys[slot] = keys[child]!;
      slot = child;
    }
    counts[slot] = count;
    keys[slot] = key;
    return top;
  }
}

const before = (count: number, key: number, otherCount: number, otherKey: number) =>
  count > otherCount || (count === otherCount && key < otherKey);
