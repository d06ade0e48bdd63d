/**
 * Trains byte-pair encoding (Sennrich et al. 2016) over bytes: starting from the 256 bytes, the most
 * frequent pair of neighbours within a word becomes a token, until the vocabulary is full or no pair
 * occurs twice.
 *
 * Training is incremental. Every pair has a list of the places where it occurred when it first
 * appeared; merging a pair visits only those places, and updates the counts of neighbouring pairs.
 * The heap is lazy: the count of a pair can only decrease after it was pushed, so an entry with an
 * outdated count is pushed again with the current one.
 */
import { slicer, type SliceOptions } from '../slices.ts';
import { Ints } from './ints.ts';
import { PairHeap } from './pair_heap.ts';
import { PairMap } from './pair_map.ts';
import { utf8 } from './utf8.ts';
import { WordCounts } from './word_counts.ts';

const MAX_BPE_VOCAB = 32768;
/** A pair of ids is packed into one key: left << ID_BITS | right. */
const ID_BITS = 15;
/** Pairs that occur less often are not merged. */
const MIN_COUNT = 2;
/**
 * Pairs that would make a longer token are not merged (`max_token_length` in Hugging Face): in a text
 * of one repeated letter, tokens would keep doubling.
 */
const MAX_TOKEN_BYTES = 1024;

export interface TrainProgress {
  phase: 'counting' | 'merging';
  done: number;
  total: number;
}

export interface BpeTrainOptions extends SliceOptions<TrainProgress> {
  /** Most tokens: 256 bytes, the merges, and the end-of-text token (if larger than 256). */
  vocab_size: number;
}

/** Merge i replaces left[i], right[i] with token 256 + i. */
export interface Merges {
  left: Int32Array;
  right: Int32Array;
}

/**
 * Learns the merges of a vocabulary; fewer than requested if too few pairs of the text occur twice.
 *
 * @throws DataError cancelled if the signal is aborted.
 */
export async function trainBpe(
  texts: readonly string[],
  options: BpeTrainOptions,
): Promise<Merges> {
  const wanted = Math.max(0, Math.min(options.vocab_size, MAX_BPE_VOCAB) - 257);
  const pause = slicer('Training the tokenizer', options);
  const words = new WordCounts();
  for (const [done, text] of texts.entries()) {
    words.add(text);
    await pause({ phase: 'counting', done: done + 1, total: texts.length });
  }
  const merger = new Merger(words);
  const left = new Int32Array(wanted);
  const right = new Int32Array(wanted);
  for (let i = 0; i < wanted; i++) {
    const pair = merger.best();
    if (pair === null) return { left: left.slice(0, i), right: right.slice(0, i) };
    left[i] = pair >> ID_BITS;
    right[i] = pair & (MAX_BPE_VOCAB - 1);
    merger.merge(left[i]!, right[i]!, 256 + i);
    await pause({ phase: 'merging', done: i + 1, total: wanted });
  }
  return { left, right };
}

/** The distinct words as linked lists of tokens, and the pairs in them. */
class Merger {
  /**
   * Token at each place (a byte of a distinct word), or -1 once it is merged into the place before.
   */
  readonly #symbol: Int32Array;
  /** The neighbouring places in the same word, or -1. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** How often the word of each place occurs in the text. */
  readonly #weight: Int32Array;
  /** Index of each pair in #key, #count and #head. */
  readonly #pairs = new PairMap(1 << 14);
  readonly #key = new Ints();
  readonly #count = new Ints();
  /** First entry of each pair's linked list of places. */
  readonly #head = new Ints();
  readonly #entryPlace: Ints;
  readonly #entryNext: Ints;
  readonly #heap = new PairHeap();
  /** Length in bytes of each token. */
  readonly #bytes = new Int32Array(MAX_BPE_VOCAB).fill(1);

  constructor({ words, counts }: WordCounts) {
    const bytes = words.map(utf8);
    const size = bytes.reduce((sum, word) => sum + word.length, 0);
    this.#symbol = new Int32Array(size);
    this.#next = new Int32Array(size);
    this.#previous = new Int32Array(size);
    this.#weight = new Int32Array(size);
    this.#entryPlace = new Ints(size * 2);
    this.#entryNext = new Ints(size * 2);
    let place = 0;
    bytes.forEach((word, index) => {
      for (let i = 0; i < word.length; i++, place++) {
        this.#symbol[place] = word[i]!;
        this.#next[place] = i + 1 < word.length ? place + 1 : -1;
        this.#previous[place] = i > 0 ? place - 1 : -1;
        this.#weight[place] = counts.data[index]!;
        if (i > 0) this.#add(place - 1, word[i - 1]!, word[i]!);
      }
    });
    this.#pushPairs(0);
  }

  /** Key of the most frequent pair, or null if no pair occurs MIN_COUNT times. */
  best(): number | null {
    while (this.#heap.size > 0) {
      const { count, key } = this.#heap.pop();
      const left = key >> ID_BITS;
      const right = key & (MAX_BPE_VOCAB - 1);
      if (this.#bytes[left]! + this.#bytes[right]! > MAX_TOKEN_BYTES) continue;
      const current = this.#count.data[this.#pairs.get(left, right)]!;
      if (current === count) return key;
      if (current >= MIN_COUNT) this.#heap.push(current, key);
    }
    return null;
  }

  /** Replaces the pair with the token `merged` everywhere. */
  merge(left: number, right: number, merged: number): void {
    const firstNew = this.#key.length;
    this.#bytes[merged] = this.#bytes[left]! + this.#bytes[right]!;
    const symbol = this.#symbol;
    const next = this.#next;
    const previous = this.#previous;
    const pair = this.#pairs.get(left, right);
    for (const place of this.#places(pair, left === right)) {
      const after = next[place]!;
      // An earlier merge may have replaced either token.
      if (symbol[place] !== left || after < 0 || symbol[after] !== right) continue;
      const before = previous[place]!;
      const beyond = next[after]!;
      if (before >= 0) {
        this.#remove(place, symbol[before]!, left);
        this.#add(before, symbol[before]!, merged);
      }
      if (beyond >= 0) {
        this.#remove(place, right, symbol[beyond]!);
        this.#add(place, merged, symbol[beyond]!);
        previous[beyond] = place;
      }
      symbol[place] = merged;
      symbol[after] = -1;
      next[place] = beyond;
    }
    this.#count.data[pair] = 0;
    this.#pushPairs(firstNew);
  }

  /**
   * The places where a pair occurred. Must be sorted if both tokens are the same, since a run of one
   * token is merged from its left end: "aaa" is (aa)a.
   */
  #places(pair: number, sorted: boolean): Int32Array {
    const places = new Ints(64);
    for (let entry = this.#head.data[pair]!; entry >= 0; entry = this.#entryNext.data[entry]!) {
      places.push(this.#entryPlace.data[entry]!);
    }
    const list = places.data.subarray(0, places.length);
    return sorted ? list.sort() : list;
  }

  /** Counts the pair at this place. */
  #add(place: number, left: number, right: number): void {
    let pair = this.#pairs.get(left, right);
    if (pair < 0) {
      pair = this.#key.push((left << ID_BITS) | right);
      this.#count.push(0);
      this.#head.push(-1);
      this.#pairs.set(left, right, pair);
    }
    this.#count.data[pair]! += this.#weight[place]!;
    this.#entryPlace.push(place);
    this.#head.data[pair] = this.#entryNext.push(this.#head.data[pair]!);
  }

  /** Stops counting the pair at this place. */
  #remove(place: number, left: number, right: number): void {
    this.#count.data[this.#pairs.get(left, right)]! -= this.#weight[place]!;
  }

  /**
   * Pushes the pairs from this index on to the heap. All pairs that a merge adds contain its new
   * token, so their counts are complete.
   */
  #pushPairs(first: number): void {
    for (let pair = first; pair < this.#key.length; pair++) {
      const count = this.#count.data[pair]!;
      if (count >= MIN_COUNT) this.#heap.push(count, this.#key.data[pair]!);
    }
  }
}
