/** From split text to token streams. */
import { DataError } from './errors.ts';
import { slicer, type SliceOptions } from './slices.ts';
import { Ints } from './tokenizer/ints.ts';
import type { CorpusSplit, Tokenizer, TokenSplit } from './types.ts';

/** Initial capacity of a stream, in tokens. */
const CAPACITY = 1 << 16;

/**
 * Encodes each side as one stream. Every document is followed by the end-of-text token, or by the
 * separator's tokens if the tokenizer has none or the documents are blocks of one running text.
 */
export function makeTokenSplit(split: CorpusSplit, tokenizer: Tokenizer): TokenSplit {
  const end = endTokens(split, tokenizer);
  const encodeAll = (documents: readonly string[]): Int32Array => {
    const stream = new Ints(CAPACITY);
    for (const text of documents) {
      stream.pushAll(tokenizer.encode(text));
      stream.pushAll(end);
    }
    return stream.toArray();
  };
  return {
    train: encodeAll(split.train),
    val: encodeAll(split.val),
    bytes_per_token: bytesPerToken(tokenizer),
  };
}

/** Documents encoded so far. */
export interface EncodeProgress {
  done: number;
  total: number;
}

/**
 * Like `makeTokenSplit`, but in slices, for texts and tokenizers that take seconds.
 *
 * @throws DataError cancelled
 */
export async function makeTokenSplitInSlices(
  split: CorpusSplit,
  tokenizer: Tokenizer,
  options: SliceOptions<EncodeProgress> = {},
): Promise<TokenSplit> {
  const pause = slicer('Encoding the text', options);
  const end = endTokens(split, tokenizer);
  const total = split.train.length + split.val.length;
  let done = 0;
  const encodeAll = async (documents: readonly string[]): Promise<Int32Array> => {
    const stream = new Ints(CAPACITY);
    for (const text of documents) {
      stream.pushAll(tokenizer.encode(text));
      stream.pushAll(end);
      await pause({ done: ++done, total });
    }
    return stream.toArray();
  };
  return {
    train: await encodeAll(split.train),
    val: await encodeAll(split.val),
    bytes_per_token: bytesPerToken(tokenizer),
  };
}

/** The tokens that follow each document. */
function endTokens(split: CorpusSplit, tokenizer: Tokenizer): Int32Array {
  if (tokenizer.eos_token_id === null || split.continuous) return tokenizer.encode(split.separator);
  return Int32Array.of(tokenizer.eos_token_id);
}

/** Number of UTF-8 bytes of each token, by id [vocab_size]; special tokens have none. */
export function bytesPerToken(tokenizer: Tokenizer): Uint16Array {
  return Uint16Array.from(
    { length: tokenizer.vocab_size },
    (_, id) => tokenizer.tokenBytes(id).length,
  );
}

/**
 * Checks ids before they are used as indices; a gather on the GPU does not check bounds.
 *
 * @throws DataError token_out_of_range
 */
export function checkIds(ids: Int32Array, vocab_size: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id < 0 || id >= vocab_size) {
      throw new DataError(
        'token_out_of_range',
        `Token ${i} has id ${id}, outside the vocabulary of ${vocab_size}.`,
        'Use the tokenizer that the model was trained with.',
      );
    }
  }
}
