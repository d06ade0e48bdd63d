/** Reads the tokenizer.json files that we write, straight from their bytes. */
import type { Tokenizer } from '../types.ts';
import { bpeTokenizer, idsOfBytes, type ByteLevelModel } from './bpe.ts';
import { byteTokenizer } from './byte.ts';
import { charTokenizer } from './char.ts';
import { malformed, unsupported } from './file_errors.ts';
import { addedSpecials, kindOf, readOutline, type Outline } from './outline.ts';
import { countElements, readMerges } from './read_merges.ts';
import { readByteLevelVocab, readCharacters } from './read_vocab.ts';
import { withSpecialTokens } from './special.ts';
import { utf8 } from './utf8.ts';

export const MAX_TOKENIZER_BYTES = 1 << 25;

/**
 * Reads a tokenizer.json of characters, bytes or byte-level BPE as we write them, or GPT-2's. Ids,
 * text and the file written again are those of the tokenizer that wrote it.
 *
 * @param json The bytes or text of the file, or its parsed value.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported, and nothing else for any input.
 */
export function tokenizerFromJson(json: unknown): Tokenizer {
  return readTokenizer(jsonBytes(json), 'bpe');
}

/**
 * The bytes of a tokenizer.json that is given as bytes, text or parsed value.
 *
 * @throws DataError tokenizer_malformed if it is not JSON or too large.
 */
export function jsonBytes(json: unknown): Uint8Array {
  const bytes = json instanceof Uint8Array ? json : utf8(jsonText(json));
  if (bytes.length > MAX_TOKENIZER_BYTES)
    throw malformed(`it is larger than ${MAX_TOKENIZER_BYTES >> 20} MB`);
  return bytes;
}

function jsonText(json: unknown): string {
  if (typeof json === 'string') return json;
  try {
    return JSON.stringify(json) ?? '';
  } catch {
    throw malformed('it is not JSON');
  }
}

/**
 * @param kind The kind of the returned tokenizer if it is a byte-level BPE.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported
 */
export function readTokenizer(bytes: Uint8Array, kind: 'bpe' | 'imported'): Tokenizer {
  const outline = readOutline(bytes);
  const tokenizerKind = kindOf(outline);
  const { eos, others } = addedSpecials(outline);
  const base = readBase(bytes, { outline, tokenizerKind, eos, kind });
  const special = Array.from(others.keys(), (_, index) => {
    const content = others.get(base.vocab_size + index);
    return content ?? throwUnsupported();
  });
  return withSpecialTokens(base, special);
}

const throwUnsupported = (): never => {
  // Another reader may know what to do with ids in another order.
  throw unsupported('its special tokens do not follow its vocabulary');
};

interface BaseOptions {
  outline: Outline;
  tokenizerKind: 'char' | 'byte_level';
  eos: number | null;
  kind: 'bpe' | 'imported';
}

/** The tokenizer without the special tokens that were appended. */
function readBase(bytes: Uint8Array, options: BaseOptions): Tokenizer {
  const { outline, tokenizerKind, eos, kind } = options;
  if (tokenizerKind === 'char') {
    if (eos !== null || countElements(bytes, outline.mergesOffset) > 0)
      throw unsupported('its characters have merges');
    return charTokenizer(readCharacters(bytes, outline.vocabOffset));
  }
  const tokens = readByteLevelVocab(bytes, outline.vocabOffset, eos);
  const merges = readMerges(bytes, outline.mergesOffset, tokens);
  const model = { tokens, merges, eos_token_id: eos };
  return isByteTokenizer(model) ? byteTokenizer() : bpeTokenizer(model, kind);
}

/** Whether the model is the one that `byteTokenizer` writes. */
function isByteTokenizer({ tokens, merges, eos_token_id }: ByteLevelModel): boolean {
  return (
    merges.left.length === 0 &&
    eos_token_id === 256 &&
    tokens.size === 257 &&
    idsOfBytes(tokens).every((id, byte) => id === byte)
  );
}
