/** From split text to token streams. */
import { DataError } from './errors.ts';
import { slicer, type SliceOptions } from './slices.ts';
import { Ints } from './tokenizer/ints.ts';
import type { CorpusSplit, Tokenizer, TokenSplit } from './types.ts';

/**
 * Encodes both sides as one stream each. After every document comes the end-of-text token or, where
 * the tokenizer has none or the documents are blocks of one running text, the separator's tokens.
 */
export function makeTokenSplit(split: CorpusSplit, tokenizer: Tokenizer): TokenSplit {
  const end = endTokens(split, tokenizer);
  const side = (documents: readonly string[]) => {
    const stream = new Ints(1 << 16);
    for (const text of documents) append(stream, tokenizer.encode(text), end);
    return stream.toArray();
  };
  return {
    train: side(split.train),
    val: side(split.val),
    bytes_per_token: bytesPerToken(tokenizer),
  };
}

/**
 * As `makeTokenSplit`, in slices: for texts and tokenizers that take seconds. `done` counts
 * documents. @throws DataError cancelled
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
  const side = async (documents: readonly string[]) => {
    const stream = new Ints(1 << 16);
    for (const text of documents) {
      append(stream, tokenizer.encode(text), end);
      await pause({ done: ++done, total });
    }
    return stream.toArray();
  };
  return {
    train: await side(split.train),
    val: await side(split.val),
    bytes_per_token: bytesPerToken(tokenizer),
  };
}

export interface EncodeProgress {
  done: number;
  total: number;
}

function endTokens(split: CorpusSplit, tokenizer: Tokenizer): Int32Array {
  return tokenizer.eos_token_id !== null && !split.continuous
    ? Int32Array.of(tokenizer.eos_token_id)
    : tokenizer.encode(split.separator);
}

function append(stream: Ints, ids: Int32Array, end: Int32Array): void {
  stream.pushAll(ids);
  stream.pushAll(end);
}

/** Bytes that each token stands for, by id; a special token stands for none. */
export function bytesPerToken(tokenizer: Tokenizer): Uint16Array {
  return Uint16Array.from(
    { length: tokenizer.vocab_size },
    (_, id) => tokenizer.tokenBytes(id).length,
  );
}

/**
 * tfjs's gather checks no bounds: every id that reaches it has been through here. @throws DataError
 * token_out_of_range
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
