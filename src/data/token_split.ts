/** From split text to token streams. */
import { DataError } from './errors.ts';
import type { CorpusSplit, Tokenizer, TokenSplit } from './types.ts';

/**
 * Encodes both sides as one stream each. After every document comes the end-of-text token or, where the tokenizer has
 * none or the documents are blocks of one running text, the separator's tokens.
 */
export function makeTokenSplit(split: CorpusSplit, tokenizer: Tokenizer): TokenSplit {
  const end = tokenizer.eos_token_id !== null && !split.continuous
    ? Int32Array.of(tokenizer.eos_token_id) : tokenizer.encode(split.separator);
  return {
    train: encodeAll(split.train, end, tokenizer),
    val: encodeAll(split.val, end, tokenizer),
    bytes_per_token: bytesPerToken(tokenizer),
  };
}

/** Bytes that each token stands for, by id; a special token stands for none. */
export function bytesPerToken(tokenizer: Tokenizer): Uint16Array {
  return Uint16Array.from({ length: tokenizer.vocab_size }, (_, id) => tokenizer.tokenBytes(id).length);
}

function encodeAll(documents: readonly string[], end: Int32Array, tokenizer: Tokenizer): Int32Array {
  let ids = new Int32Array(1 << 16);
  let length = 0;
  for (const text of documents) {
    const part = tokenizer.encode(text);
    const needed = length + part.length + end.length;
    if (needed > ids.length) {
      const grown = new Int32Array(Math.max(needed, ids.length * 2));
      grown.set(ids.subarray(0, length));
      ids = grown;
    }
    ids.set(part, length);
    ids.set(end, length + part.length);
    length = needed;
  }
  return ids.slice(0, length);
}

/** tfjs's gather checks no bounds: every id that reaches it has been through here. @throws DataError token_out_of_range */
export function checkIds(ids: Int32Array, vocab_size: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < 0 || id >= vocab_size) {
      throw new DataError('token_out_of_range', `Token ${i} has id ${id}, outside the vocabulary of ${vocab_size}.`,
        'Use the tokenizer that the model was trained with.');
    }
  }
}
