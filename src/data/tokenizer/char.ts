/**
 * Tokenizer of characters: one token per Unicode code point, sorted by code point, as in nanoGPT's
 * character-level data sets.
 *
 * There is no unknown token. A character that is not in the text is a DataError, because a model
 * that never saw it could do nothing sensible with it.
 */
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { TokenBytes } from './token_bytes.ts';
import { charTokenizerJson } from './tokenizer_json.ts';
import { utf8 } from './utf8.ts';

/** Number of code points in the basic multilingual plane. */
const BMP = 0x10000;
/** More code points than any script has; a larger vocabulary is not for a character-level model. */
const MAX_CHAR_VOCAB = 65536;

/** Returns every code point of the texts, sorted. */
function charVocabulary(texts: Iterable<string>): string[] {
  const seen = new Set<number>();
  // Code points of the basic plane are marked in a table, which is faster than a Set.
  const inBasicPlane = new Uint8Array(BMP);
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0xd800 && unit < 0xdc00) {
        const point = text.codePointAt(i) ?? unit;
        seen.add(point);
        if (point >= BMP) i++;
      } else inBasicPlane[unit] = 1;
    }
  }
  for (let unit = 0; unit < BMP; unit++) if (inBasicPlane[unit]) seen.add(unit);
  return [...seen].sort((a, b) => a - b).map((point) => String.fromCodePoint(point));
}

/** Makes a tokenizer of the characters of these texts; include the separator of the corpus. */
export function trainChar(texts: Iterable<string>): Tokenizer {
  return charTokenizer(charVocabulary(texts));
}

/**
 * @param vocabulary The character of each token, by id.
 * @throws DataError vocab_too_large for more than MAX_CHAR_VOCAB characters.
 */
export function charTokenizer(vocabulary: readonly string[]): Tokenizer {
  if (vocabulary.length > MAX_CHAR_VOCAB) {
    throw new DataError(
      'vocab_too_large',
      `The text has ${vocabulary.length} different characters.`,
      'Choose the byte or BPE tokenizer.',
    );
  }
  const idOf = new Map(vocabulary.map((char, id) => [char.codePointAt(0) ?? 0, id]));
  // Ids of the basic plane are looked up in a table, which is faster than a Map.
  const idInBasicPlane = new Int32Array(BMP).fill(-1);
  for (const [point, id] of idOf) if (point < BMP) idInBasicPlane[point] = id;
  const tokens = TokenBytes.from(vocabulary.map(utf8));

  return {
    kind: 'char',
    vocab_size: vocabulary.length,
    eos_token_id: null,
    special_tokens: new Map(),
    encode(text) {
      const ids = new Int32Array(text.length);
      let length = 0;
      for (let i = 0; i < text.length; i++) {
        let id = idInBasicPlane[text.charCodeAt(i)]!;
        if (id < 0) {
          const point = text.codePointAt(i) ?? 0;
          id = idOf.get(point) ?? throwUnknown(point);
          if (point >= BMP) i++;
        }
        ids[length++] = id;
      }
      return length === ids.length ? ids : ids.slice(0, length);
    },
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => charTokenizerJson(vocabulary),
  };
}

function throwUnknown(point: number): never {
  const char = String.fromCodePoint(point);
  const code = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new DataError(
    'unknown_character',
    `The character "${char}" (${code}) does not occur in the training text.`,
    'Leave it out, or choose the byte or BPE tokenizer, which encode every character.',
  );
}
