/** The encoder of byte-level BPE, with a cache of words. */
import { splitAtEndOfText } from './byte_level.ts';
import { WordMerger, type MergeRanks } from './bpe_merge.ts';
import { Ints } from './ints.ts';
import { wordEnd } from './pretokenize.ts';
import { utf8 } from './utf8.ts';

/**
 * The cache is cleared at this many words, and does not keep longer words: a text without spaces
 * would fill the memory.
 */
const MAX_CACHED_WORDS = 1 << 18;
const MAX_CACHED_LENGTH = 64;

/**
 * @param byteIds Id of the token of each byte [256].
 * @param eos Id of the end-of-text string in a text; null to encode it like any other text.
 */
export function byteLevelEncoder(
  ranks: MergeRanks,
  byteIds: Int32Array,
  eos: number | null,
): (text: string) => Int32Array {
  const merger = new WordMerger(ranks);
  const cache = new WordCache();
  let scratch = new Int32Array(256);

  function encodeWord(word: string, out: Ints): void {
    const bytes = utf8(word);
    if (scratch.length < bytes.length) scratch = new Int32Array(bytes.length * 2);
    for (let i = 0; i < bytes.length; i++) scratch[i] = byteIds[bytes[i]!]!;
    const length = merger.merge(scratch, bytes.length);
    out.pushRange(scratch, 0, length);
  }

  function encodePiece(text: string, out: Ints): void {
    for (let start = 0; start < text.length;) {
      const end = wordEnd(text, start);
      const word = text.slice(start, end);
      start = end;
      if (cache.appendTo(out, word)) continue;
      const from = out.length;
      encodeWord(word, out);
      if (word.length <= MAX_CACHED_LENGTH) cache.add(word, out, from);
    }
  }

  return (text) => {
    const out = new Ints(Math.max(16, text.length >> 1));
    const pieces = eos === null ? [text] : splitAtEndOfText(text);
    pieces.forEach((piece, index) => {
      if (index > 0 && eos !== null) out.push(eos);
      encodePiece(piece, out);
    });
    return out.toArray();
  };
}

/** Ids of the words encoded so far, in one pool. */
class WordCache {
  readonly #index = new Map<string, number>();
  readonly #pool = new Ints();
  /** The ids of word i are pool[start[i]] to pool[start[i + 1] - 1]. */
  readonly #start = new Ints();

  constructor() {
    this.#start.push(0);
  }

  /** Appends the ids of a word; returns false if the word is not in the cache. */
  appendTo(out: Ints, word: string): boolean {
    const index = this.#index.get(word);
    if (index === undefined) return false;
    const start = this.#start.data;
    out.pushRange(this.#pool.data, start[index]!, start[index + 1]!);
    return true;
  }

  /** Adds a word whose ids are out[from..]. */
  add(word: string, out: Ints, from: number): void {
    if (this.#index.size >= MAX_CACHED_WORDS) {
      this.#index.clear();
      this.#pool.length = 0;
      this.#start.length = 1;
    }
    this.#index.set(word, this.#start.length - 1);
    this.#pool.pushRange(out.data, from, out.length);
    this.#start.push(this.#pool.length);
  }
}
