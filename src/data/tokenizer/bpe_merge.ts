/** Applies merges to one word: always the one that was learned first, the leftmost among equals. */
import { PairMap } from './pair_map.ts';

/** Merge tables: the rank of each pair of ids, and the id that the merge of each rank makes. */
export interface MergeRanks {
  rank: PairMap;
  merged: Int32Array;
}

/** A heap key is rank x PLACES + place; both fit the 53 bits of a number. */
const PLACES = 2 ** 32;

/**
 * Merges words, with reusable buffers. Candidates are in a binary heap ordered by (rank, place), so a
 * word of n bytes takes O(n log n) time. Candidates that an earlier merge has invalidated are
 * dropped when they reach the top.
 */
export class WordMerger {
  readonly #ranks: MergeRanks;
  /** The places of the word as a linked list; `length` and -1 are its ends. */
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  #heap = new Float64Array(192);
  #size = 0;

  constructor(ranks: MergeRanks) {
    this.#ranks = ranks;
  }

  /** Merges ids[0..length) in place and returns the number of ids left at the front. */
  merge(ids: Int32Array, length: number): number {
    if (length < 2) return length;
    this.#prepare(ids, length);
    while (this.#size > 0) {
      const key = this.#pop();
      const place = key % PLACES;
      const rank = (key - place) / PLACES;
      if (this.#isValid(ids, length, place, rank)) this.#mergeAt(ids, length, place, rank);
    }
    let left = 0;
    for (let place = 0; place < length; place = this.#next[place]!) ids[left++] = ids[place]!;
    return left;
  }

  /** Whether the pair at this place still is the one that was offered. */
  #isValid(ids: Int32Array, length: number, place: number, rank: number): boolean {
    const after = this.#next[place]!;
    if (ids[place]! < 0 || after >= length) return false;
    return this.#ranks.rank.get(ids[place]!, ids[after]!) === rank;
  }

  /** Merges the token at this place with the next one, and offers the new pairs on both sides. */
  #mergeAt(ids: Int32Array, length: number, place: number, rank: number): void {
    const before = this.#previous[place]!;
    const after = this.#next[place]!;
    const beyond = this.#next[after]!;
    ids[place] = this.#ranks.merged[rank]!;
    ids[after] = -1;
    this.#next[place] = beyond;
    if (beyond < length) {
      this.#previous[beyond] = place;
      this.#offer(ids, place, beyond);
    }
    if (before >= 0) this.#offer(ids, before, place);
  }

  #prepare(ids: Int32Array, length: number): void {
    if (this.#next.length < length) {
      this.#next = new Int32Array(length * 2);
      this.#previous = new Int32Array(length * 2);
      // Every place is offered once at the start, and each of at most length - 1 merges offers
      // two.
      this.#heap = new Float64Array(length * 6);
    }
    this.#size = 0;
    for (let place = 0; place < length; place++) {
      this.#next[place] = place + 1;
      this.#previous[place] = place - 1;
      if (place > 0) this.#offer(ids, place - 1, place);
    }
  }

  /** Adds the pair at places left and right to the heap, if it has a merge. */
  #offer(ids: Int32Array, left: number, right: number): void {
    const rank = this.#ranks.rank.get(ids[left]!, ids[right]!);
    if (rank < 0) return;
    const key = rank * PLACES + left;
    const heap = this.#heap;
    let slot = this.#size++;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[slot] = heap[parent]!;
      slot = parent;
    }
    heap[slot] = key;
  }

  /** Removes and returns the smallest key. */
  #pop(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    const size = --this.#size;
    const last = heap[size]!;
    let slot = 0;
    for (let child = 1; child < size; child = 2 * slot + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[slot] = heap[child]!;
      slot = child;
    }
    heap[slot] = last;
    return top;
  }
}
