/** Byte-level BPE with GPT-2's pre-tokenizer: the encoder and its tokenizer. */
import type { Tokenizer } from '../types.ts';
import { byteLevelEncoder } from './bpe_encoder.ts';
import { bytesToEntry, END_OF_TEXT, NO_BYTES, singleBytes } from './byte_level.ts';
import { trainBpe, type BpeTrainOptions, type Merges } from './bpe_trainer.ts';
import { PairMap } from './pair_map.ts';
import { TokenBytesBuilder, type TokenBytes } from './token_bytes.ts';
import { byteLevelJson } from './tokenizer_json.ts';

/** A trained byte-level BPE; ids may be in any order. */
export interface ByteLevelModel {
  /** Bytes of each token; the end-of-text token has none. */
  tokens: TokenBytes;
  /** Merge i, in the order learned, replaces left[i], right[i] with merged[i]. */
  merges: Merges & { merged: Int32Array };
  /** Null if there is no end-of-text token. */
  eos_token_id: number | null;
}

/**
 * Trains a tokenizer on the texts. Its vocabulary is smaller than requested if the text repeats too
 * little.
 *
 * @throws DataError cancelled, like `trainBpe`.
 */
export async function trainBpeTokenizer(
  texts: readonly string[],
  options: BpeTrainOptions,
): Promise<Tokenizer> {
  return bpeTokenizer(modelOf(await trainBpe(texts, options), options.vocab_size > 256));
}

/** Our id layout: 0 to 255 are the bytes, followed by the merges as learned, then end of text. */
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

/** @param kind 'imported' if the model was not trained here. */
export function bpeTokenizer(model: ByteLevelModel, kind: 'bpe' | 'imported' = 'bpe'): Tokenizer {
  const { tokens, merges, eos_token_id } = model;
  const { left, right, merged } = merges;
  const rank = new PairMap(left.length);
  left.forEach((id, i) => rank.set(id, right[i]!, i));
  return {
    kind,
    vocab_size: tokens.size,
    eos_token_id,
    special_tokens: new Map(eos_token_id === null ? [] : [[END_OF_TEXT, eos_token_id]]),
    encode: byteLevelEncoder({ rank, merged }, idsOfBytes(tokens), eos_token_id),
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => toTokenizerJson(model),
  };
}

function toTokenizerJson({ tokens, merges, eos_token_id }: ByteLevelModel): object {
  const { left, right } = merges;
  const entries = Array.from({ length: tokens.size }, (_, id) => bytesToEntry(tokens.of(id)));
  const pairs = Array.from(left, (id, i): [string, string] => [
    entries[id] ?? '',
    entries[right[i]!] ?? '',
  ]);
  return byteLevelJson(entries, pairs, eos_token_id);
}

/** Id of the token that consists of each byte [256], or -1 if there is none. */
export function idsOfBytes(tokens: TokenBytes): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  const { pool, start } = tokens;
  for (let id = 0; id < tokens.size; id++) {
    if (start[id + 1]! - start[id]! === 1) ids[pool[start[id]!]!] = id;
  }
  return ids;
}
