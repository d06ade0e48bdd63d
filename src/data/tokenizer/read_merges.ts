/** Reads the merges of a tokenizer.json. */
import type { ByteLevelModel } from './bpe.ts';
import { entryBytes, scratch } from './entry_bytes.ts';
import { malformed } from './file_errors.ts';
import { Ints } from './ints.ts';
import { JsonBytes } from './json_bytes.ts';
import type { TokenBytes } from './token_bytes.ts';
import { TokenIndex } from './token_index.ts';

/** Different merges can make the same token, but in real files few do. */
const MAX_MERGES_PER_TOKEN = 8;

const SPACE = 0x20;

/** Number of elements of the array at this offset; 0 for offset -1. */
export function countElements(bytes: Uint8Array, offset: number): number {
  if (offset < 0) return 0;
  const reader = new JsonBytes(bytes, offset);
  let count = 0;
  reader.array(() => {
    reader.skip();
    count++;
  });
  return count;
}

/**
 * Reads merges written as ["a", "b"] or as "a b".
 *
 * @param offset Offset of the merges in the file, or -1 if it has none.
 * @throws DataError tokenizer_malformed
 */
export function readMerges(
  bytes: Uint8Array,
  offset: number,
  tokens: TokenBytes,
): ByteLevelModel['merges'] {
  const left = new Ints();
  const right = new Ints();
  const merged = new Ints();
  if (offset >= 0) {
    const index = new TokenIndex(tokens);
    const reader = new JsonBytes(bytes, offset);
    reader.array(() => {
      const { middle, end } = reader.isString() ? readJoinedPair(reader) : readPair(reader);
      const first = index.find(scratch, 0, middle);
      const second = index.find(scratch, middle, end);
      const result = index.find(scratch, 0, end);
      if (first < 0 || second < 0 || result < 0)
        throw malformed(`merge ${left.length} names a token that is not in the vocabulary`);
      left.push(first);
      right.push(second);
      merged.push(result);
      if (left.length > MAX_MERGES_PER_TOKEN * tokens.size)
        throw malformed('it has too many merges');
    });
  }
  return { left: left.toArray(), right: right.toArray(), merged: merged.toArray() };
}

/** The bytes of two tokens in `scratch`: [0, middle) and [middle, end). */
interface Pair {
  middle: number;
  end: number;
}

const notAPair = () => malformed('a merge is not a pair of tokens');

/** Reads ["a", "b"]. */
function readPair(reader: JsonBytes): Pair {
  const pair = { middle: -1, end: -1 };
  reader.array(() => {
    if (pair.end >= 0) throw notAPair();
    reader.string();
    const length = entryBytes(reader.text, Math.max(0, pair.middle));
    if (length < 0) throw notAPair();
    if (pair.middle < 0) pair.middle = length;
    else pair.end = pair.middle + length;
  });
  if (pair.end < 0) throw notAPair();
  return pair;
}

/** Reads "a b". */
function readJoinedPair(reader: JsonBytes): Pair {
  reader.string();
  const { text } = reader;
  let space = 0;
  while (space < text.length && text.data[space] !== SPACE) space++;
  const middle = entryBytes(text, 0, 0, space);
  const length = entryBytes(text, space, space + 1);
  if (space >= text.length - 1 || middle < 0 || length < 0) throw notAPair();
  return { middle, end: middle + length };
}
