/** Applies merges to one word: always the merge that was learned first, the leftmost of equals. */
import { PairMap } from './pair_map.ts';

/** Merge tables: rank of a pair of ids, and the id that the merge of each rank makes. */
export interface MergeRanks {
  rank: PairMap;
  merged: Int32Array;
}

/** Rank and place share one number of 53 bits. */
const PLACES = 2 ** 32;

/**
 * A merger with buffers of its own. Candidates wait in a heap ordered by (rank, place), so that a
 * word of n bytes takes n log n however long it is; a candidate that an earlier merge has spoiled
 * is dropped when it comes up.
 */
export class WordMerger {
  readonly #ranks: MergeRanks;
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  #heap = new Float64Array(192);
  #size = 0;

  constructor(ranks: MergeRanks) {
    this.#ranks = ranks;
  }

  /** Merges ids[0..length) in place and returns how many are left, at the front. */
  merge(ids: Int32Array, length: number): number {
    if (length < 2) return length;
    this.#prepare(ids, length);
    const next = this.#next;
    const previous = this.#previous;
    while (this.#size > 0) {
      const top = this.#pop();
      const place = top % PLACES;
      const rank = (top - place) / PLACES;
      const after = next[place]!;
      if (
        ids[place]! < 0 ||
        after >= length ||
        this.#ranks.rank.get(ids[place]!, ids[after]!) !== rank
      )
        continue;
      const beyond = next[after]!;
      ids[place] = this.#ranks.merged[rank]!;
      ids[after] = -1;
      next[place] = beyond;
      if (beyond < length) {
        previous[beyond] = place;
        this.#offer(ids, place, beyond);
      }
      if (previous[place]! >= 0) this.#offer(ids, previous[place]!, place);
    }
    let left = 0;
    for (let place = 0; place < length; place = next[place]!) ids[left++] = ids[place]!;
    return left;
  }

  #prepare(ids: Int32Array, length: number): void {
    if (this.#next.length < length) {
      this.#next = new Int32Array(length * 2);
      this.#previous = new Int32Array(length * 2);
      // Every place is offered once at the start, and each of at most length - 1 merges offers two
      // more.
      this.#heap = new Float64Array(length * 6);
    }
    this.#size = 0;
    for (let place = 0; place < length; place++) {
      this.#next[place] = place + 1;
      this.#previous[place] = place - 1;
      if (place > 0) this.#offer(ids, place - 1, place);
    }
  }

  #offer(ids: Int32Array, left: number, right: number): void {
    const rank = this.#ranks.rank.get(ids[left]!, ids[right]!);
    if (rank < 0) return;
    const key = rank * PLACES + left;
    const heap = this.#heap;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = key;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    const size = --this.#size;
    const last = heap[size]!;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
