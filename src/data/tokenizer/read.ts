/** Reads back the tokenizer.json files that we write, straight from their bytes. */
import type { Tokenizer } from '../types.ts';
import { bpeTokenizer, idsOfBytes, type ByteLevelModel } from './bpe.ts';
import { byteOfPoint, END_OF_TEXT } from './byte_level.ts';
import { byteTokenizer } from './byte.ts';
import { charTokenizer } from './char.ts';
import { Ints } from './ints.ts';
import { JsonBytes, malformed, MAX_STRING } from './json_bytes.ts';
import { addedEndOfText, kindOf, readOutline, unsupported } from './outline.ts';
import { TokenBytesBuilder, type TokenBytes } from './token_bytes.ts';
import { TokenIndex } from './token_index.ts';
import { utf8 } from './utf8.ts';

export const MAX_TOKENIZER_BYTES = 1 << 25;
const MAX_VOCAB = 1 << 19;

/**
 * The tokenizer of a tokenizer.json: characters, bytes or byte-level BPE as we write them, and
 * GPT-2's. Ids, text and the file written again are those of the tokenizer that wrote it.
 *
 * @param json the file's bytes or text, or its parsed value.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported, and nothing else, whatever the
 * file holds.
 */
export function tokenizerFromJson(json: unknown): Tokenizer {
  return readTokenizer(jsonBytes(json), 'bpe');
}

/**
 * The bytes of a tokenizer.json in any of the forms that it is handed about in. @throws DataError
 * tokenizer_malformed
 */
export function jsonBytes(json: unknown): Uint8Array {
  const bytes =
    json instanceof Uint8Array ? json : utf8(typeof json === 'string' ? json : stringify(json));
  if (bytes.length > MAX_TOKENIZER_BYTES)
    throw malformed(`it is larger than ${MAX_TOKENIZER_BYTES >> 20} MB`);
  return bytes;
}

function stringify(json: unknown): string {
  try {
    return JSON.stringify(json) ?? '';
  } catch {
    throw malformed('it is not JSON');
  }
}

/** @param kind what a byte-level BPE calls itself. @throws DataError */
export function readTokenizer(bytes: Uint8Array, kind: 'bpe' | 'imported'): Tokenizer {
  const outline = readOutline(bytes);
  if (kindOf(outline) === 'char') {
    if (addedEndOfText(outline) !== null || readStringCount(bytes, outline.mergesAt) > 0)
      throw unsupported('its characters have merges');
    return charTokenizer(readCharacters(bytes, outline.vocabAt));
  }
  const eos = addedEndOfText(outline);
  const tokens = readByteLevelVocab(bytes, outline.vocabAt, eos);
  const model = { tokens, merges: readMerges(bytes, outline.mergesAt, tokens), eos_token_id: eos };
  return isBytes(model) ? byteTokenizer() : bpeTokenizer(model, kind);
}

function isBytes({ tokens, merges, eos_token_id }: ByteLevelModel): boolean {
  return (
    merges.left.length === 0 &&
    eos_token_id === 256 &&
    tokens.size === 257 &&
    idsOfBytes(tokens).every((id, byte) => id === byte)
  );
}

/** Ids must be 0 to n - 1, each once: gives the place in the file of each id. */
function inOrder(ids: Ints): Int32Array {
  const place = new Int32Array(ids.length).fill(-1);
  for (let i = 0; i < ids.length; i++) {
    const id = ids.data[i]!;
    if (id >= ids.length) throw malformed(`id ${id} lies outside a vocabulary of ${ids.length}`);
    if (place[id]! >= 0) throw malformed(`id ${id} occurs twice`);
    place[id] = i;
  }
  return place;
}

function readCharacters(bytes: Uint8Array, at: number): string[] {
  const reader = new JsonBytes(bytes, at);
  const [points, ids] = [new Ints(), new Ints()];
  reader.entries(() => {
    if (reader.text.length !== 1) throw unsupported('a token of it is no single character');
    points.push(reader.text.data[0]!);
    ids.push(reader.id());
    if (ids.length > MAX_VOCAB) throw malformed('its vocabulary is too large');
  });
  if (ids.length === 0) throw malformed('its vocabulary is empty');
  const characters = Array.from(inOrder(ids), (place) => String.fromCodePoint(points.data[place]!));
  if (new Set(characters).size < characters.length) throw malformed('a character occurs twice');
  return characters;
}

/**
 * Room for the two longest strings that the reader takes: entries are read into it one after the
 * other.
 */
const scratch = new Uint8Array(2 * MAX_STRING);

/**
 * Puts the string read last, written in GPT-2's alphabet, into `scratch` at `at`; its length, or -1
 * where a character stands for no byte.
 */
function entryBytes({ text }: JsonBytes, at: number, from = 0, to = text.length): number {
  for (let i = from; i < to; i++) {
    const byte = byteOfPoint(text.data[i]!);
    if (byte < 0) return -1;
    scratch[at + i - from] = byte;
  }
  return to - from;
}

function readByteLevelVocab(bytes: Uint8Array, at: number, eos: number | null): TokenBytes {
  const reader = new JsonBytes(bytes, at);
  const inFile = new TokenBytesBuilder();
  const ids = new Ints();
  let eosSeen = false;
  reader.entries(() => {
    // The end-of-text string is written in ASCII, which GPT-2's alphabet holds too.
    const isEos =
      eos !== null &&
      reader.text.length === END_OF_TEXT.length &&
      reader.lastString() === END_OF_TEXT;
    const length = isEos ? 0 : entryBytes(reader, 0);
    if (length < 1 && !isEos) throw unsupported('a token of it stands for no bytes');
    inFile.push(scratch, 0, length);
    const id = ids.push(reader.id());
    if (isEos && ids.data[id] !== eos) throw malformed('the end-of-text token has two ids');
    eosSeen ||= isEos;
    if (ids.length > MAX_VOCAB) throw malformed('its vocabulary is too large');
  });
  if (eos !== null && !eosSeen) {
    inFile.push(scratch, 0, 0);
    ids.push(eos);
  }
  const { pool, start } = inFile.build();
  const tokens = new TokenBytesBuilder();
  for (const place of inOrder(ids)) tokens.push(pool, start[place]!, start[place + 1]!);
  const built = tokens.build();
  if (idsOfBytes(built).some((id) => id < 0)) throw unsupported('it does not know all 256 bytes');
  return built;
}

function readStringCount(bytes: Uint8Array, at: number): number {
  let count = 0;
  if (at >= 0) {
    const reader = new JsonBytes(bytes, at);
    reader.array(() => {
      reader.skip();
      count++;
    });
  }
  return count;
}

/** Merges as ["a", "b"] or as "a b". */
function readMerges(bytes: Uint8Array, at: number, tokens: TokenBytes): ByteLevelModel['merges'] {
  const [left, right, merged] = [new Ints(), new Ints(), new Ints()];
  if (at >= 0) {
    const index = new TokenIndex(tokens);
    const reader = new JsonBytes(bytes, at);
    reader.array(() => {
      const { middle, end } = reader.isString() ? joinedPair(reader) : separatePair(reader);
      const [first, second, result] = [
        index.find(scratch, 0, middle),
        index.find(scratch, middle, end),
        index.find(scratch, 0, end),
      ];
      if (first < 0 || second < 0 || result < 0)
        throw malformed(`merge ${left.length} names a token that is not in the vocabulary`);
      left.push(first);
      right.push(second);
      merged.push(result);
      // A token can come about in several ways, but not in very many.
      if (left.length > 8 * tokens.size) throw malformed('it has too many merges');
    });
  }
  return { left: left.toArray(), right: right.toArray(), merged: merged.toArray() };
}

/** Two tokens in `scratch`: [0, middle) and [middle, end). */
interface Pair {
  middle: number;
  end: number;
}

const notAPair = () => malformed('a merge is not a pair of tokens');

function separatePair(reader: JsonBytes): Pair {
  const pair = { middle: -1, end: -1 };
  reader.array(() => {
    if (pair.end >= 0) throw notAPair();
    reader.string();
    const length = entryBytes(reader, Math.max(0, pair.middle));
    if (length < 0) throw notAPair();
    if (pair.middle < 0) pair.middle = length;
    else pair.end = pair.middle + length;
  });
  if (pair.end < 0) throw notAPair();
  return pair;
}

function joinedPair(reader: JsonBytes): Pair {
  reader.string();
  const { text } = reader;
  let space = 0;
  while (space < text.length && text.data[space] !== 0x20) space++;
  const middle = entryBytes(reader, 0, 0, space);
  const length = entryBytes(reader, space, space + 1);
  if (space >= text.length - 1 || middle < 0 || length < 0) throw notAPair();
  return { middle, end: middle + length };
}
