/**
 * Candidates for the next merge, most frequent first; ties go to the smaller left id, then the
 * smaller right id.
 */
import { Ints } from './ints.ts';

/**
 * A binary heap of (count, key). Entries are never changed: the trainer checks a count against its
 * table on the way out.
 */
export class PairHeap {
  readonly #counts = new Ints();
  readonly #keys = new Ints();

  get size(): number {
    return this.#keys.length;
  }

  push(count: number, key: number): void {
    let at = this.#keys.push(key);
    this.#counts.push(count);
    const counts = this.#counts.data;
    const keys = this.#keys.data;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(count, key, counts[parent]!, keys[parent]!)) break;
      counts[at] = counts[parent]!;
      keys[at] = keys[parent]!;
      at = parent;
    }
    counts[at] = count;
    keys[at] = key;
  }

  /** Takes the first entry off; the heap must not be empty. */
  pop(): { count: number; key: number } {
    const counts = this.#counts.data;
    const keys = this.#keys.data;
    const top = { count: counts[0]!, key: keys[0]! };
    const size = --this.#keys.length;
    this.#counts.length = size;
    const count = counts[size]!;
    const key = keys[size]!;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (
        child + 1 < size &&
        before(counts[child + 1]!, keys[child + 1]!, counts[child]!, keys[child]!)
      )
        child++;
      if (!before(counts[child]!, keys[child]!, count, key)) break;
      counts[at] = counts[child]!;
      keys[at] = keys[child]!;
      at = child;
    }
    counts[at] = count;
    keys[at] = key;
    return top;
  }
}

const before = (count: number, key: number, otherCount: number, otherKey: number) =>
  count > otherCount || (count === otherCount && key < otherKey);
