/**
 * Byte-level BPE with GPT-2's pre-tokenizer: the encoder, with a cache of words, and the tokenizer
 * around it.
 */
import type { Tokenizer } from '../types.ts';
import { bytesToEntry, NO_BYTES, singleBytes, splitAtEndOfText } from './byte_level.ts';
import { WordMerger, type MergeRanks } from './bpe_merge.ts';
import { trainBpe, type BpeTrainOptions, type Merges } from './bpe_trainer.ts';
import { Ints } from './ints.ts';
import { PairMap } from './pair_map.ts';
import { wordEnd } from './pretokenize.ts';
import { TokenBytesBuilder, type TokenBytes } from './token_bytes.ts';
import { byteLevelJson } from './tokenizer_json.ts';
import { utf8 } from './utf8.ts';

/**
 * The cache is emptied beyond so many words, and longer words are not kept: texts without spaces
 * would fill memory.
 */
const CACHED_WORDS = 1 << 18;
const CACHED_LENGTH = 64;

/** A trained byte-level BPE, ids in any order. */
export interface ByteLevelModel {
  /** Bytes of each token; the end-of-text token has none. */
  tokens: TokenBytes;
  /** Merge i, in the order learned, makes token merged[i] of left[i] and right[i]. */
  merges: Merges & { merged: Int32Array };
  eos_token_id: number | null;
}

/** Trains on the texts and gives the tokenizer. @throws DataError as `trainBpe` */
export async function trainBpeTokenizer(
  texts: readonly string[],
  options: BpeTrainOptions,
): Promise<Tokenizer> {
  return bpeTokenizer(modelOf(await trainBpe(texts, options), options.vocab_size > 256));
}

/**
 * The layout that we train: ids 0 to 255 are the bytes, then the merges as learned, then the
 * end-of-text token.
 */
export function modelOf({ left, right }: Merges, withEndOfText: boolean): ByteLevelModel {
  const tokens = new TokenBytesBuilder();
  singleBytes().forEach((byte) => tokens.push(byte, 0, 1));
  left.forEach((id, i) => tokens.pushJoined(id, right[i]!));
  if (withEndOfText) tokens.push(NO_BYTES, 0, 0);
  return {
    tokens: tokens.build(),
    merges: { left, right, merged: Int32Array.from(left, (_, i) => 256 + i) },
    eos_token_id: withEndOfText ? 256 + left.length : null,
  };
}

/** @param kind 'imported' where the model was not trained here. */
export function bpeTokenizer(
  { tokens, merges, eos_token_id }: ByteLevelModel,
  kind: 'bpe' | 'imported' = 'bpe',
): Tokenizer {
  const { left, right, merged } = merges;
  const rank = new PairMap(left.length);
  left.forEach((id, i) => rank.set(id, right[i]!, i));
  return {
    kind,
    vocab_size: tokens.size,
    eos_token_id,
    encode: byteLevelEncoder({ rank, merged }, idsOfBytes(tokens), eos_token_id),
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson() {
      const entries = Array.from({ length: tokens.size }, (_, id) => bytesToEntry(tokens.of(id)));
      const pairs = Array.from(left, (id, i): [string, string] => [
        entries[id] ?? '',
        entries[right[i]!] ?? '',
      ]);
      return byteLevelJson(entries, pairs, eos_token_id);
    },
  };
}

/** Id of the token that each byte is on its own, -1 where there is none. [256] */
export function idsOfBytes(tokens: TokenBytes): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  const { pool, start } = tokens;
  for (let id = 0; id < tokens.size; id++) {
    if (start[id + 1]! - start[id]! === 1) ids[pool[start[id]!]!] = id;
  }
  return ids;
}

/**
 * @param byteIds id of each byte's token. [256]
 * @param eos id of the end-of-text string where it stands in a text, or null where it is text like
 * any other.
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
    out.reserve(length);
    for (let i = 0; i < length; i++) out.data[out.length + i] = scratch[i]!;
    out.length += length;
  }

  function encodePiece(text: string, out: Ints): void {
    for (let start = 0; start < text.length;) {
      const end = wordEnd(text, start);
      const word = text.slice(start, end);
      start = end;
      if (cache.copy(word, out)) continue;
      const from = out.length;
      encodeWord(word, out);
      if (word.length <= CACHED_LENGTH) cache.keep(word, out, from);
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

/** Ids of the words met so far, in one pool. */
class WordCache {
  readonly #index = new Map<string, number>();
  readonly #pool = new Ints();
  /** The ids of word i are pool[start[i]] to pool[start[i + 1] - 1]. */
  readonly #start = new Ints();

  constructor() {
    this.#start.push(0);
  }

  /** Appends the ids of the word; false where it is not known. */
  copy(word: string, out: Ints): boolean {
    const index = this.#index.get(word);
    if (index === undefined) return false;
    const from = this.#start.data[index]!;
    const length = this.#start.data[index + 1]! - from;
    out.reserve(length);
    for (let i = 0; i < length; i++) out.data[out.length + i] = this.#pool.data[from + i]!;
    out.length += length;
    return true;
  }

  /** Remembers out[from..] as the ids of the word. */
  keep(word: string, out: Ints, from: number): void {
    if (this.#index.size >= CACHED_WORDS) {
      this.#index.clear();
      this.#pool.length = 0;
      this.#start.length = 1;
    }
    this.#index.set(word, this.#start.length - 1);
    for (let i = from; i < out.length; i++) this.#pool.push(out.data[i]!);
    this.#start.push(this.#pool.length);
  }
}
