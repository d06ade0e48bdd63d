/**
 * Characters: one token a Unicode code point, sorted by code point (as nanoGPT's character-level
 * data sets do).
 *
 * There is no unknown token: a character that the text does not have is a typed error, because a
 * model that never saw it could not do anything sensible with it.
 */
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { TokenBytes } from './token_bytes.ts';
import { charTokenizerJson } from './tokenizer_json.ts';
import { utf8 } from './utf8.ts';

const BMP = 0x10000;
/**
 * More code points than any script has: beyond it the text is not what a character-level model is
 * for.
 */
export const MAX_CHAR_VOCAB = 65536;

/** Every code point of the texts, sorted. */
export function charVocabulary(texts: Iterable<string>): string[] {
  const seen = new Set<number>();
  const low = new Uint8Array(BMP);
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0xd800 && unit < 0xdc00) {
        const point = text.codePointAt(i) ?? unit;
        seen.add(point);
        if (point >= BMP) i++;
      } else low[unit] = 1;
    }
  }
  for (let unit = 0; unit < BMP; unit++) if (low[unit]) seen.add(unit);
  return [...seen].sort((a, b) => a - b).map((point) => String.fromCodePoint(point));
}

/** A tokenizer over the characters of these texts; pass the separator of the corpus too. */
export function trainChar(texts: Iterable<string>): Tokenizer {
  return charTokenizer(charVocabulary(texts));
}

/**
 * @param vocabulary one character a token, by id.
 * @throws DataError vocab_too_large beyond MAX_CHAR_VOCAB; encode throws unknown_character, decode
 * and tokenBytes token_out_of_range.
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
  const low = new Int32Array(BMP).fill(-1);
  for (const [point, id] of idOf) if (point < BMP) low[point] = id;
  const tokens = TokenBytes.from(vocabulary.map(utf8));

  return {
    kind: 'char',
    vocab_size: vocabulary.length,
    eos_token_id: null,
    encode(text) {
      const ids = new Int32Array(text.length);
      let n = 0;
      for (let i = 0; i < text.length; i++) {
        let id = low[text.charCodeAt(i)]!;
        if (id < 0) {
          const point = text.codePointAt(i) ?? 0;
          id = idOf.get(point) ?? unknown(point);
          if (point >= BMP) i++;
        }
        ids[n++] = id;
      }
      return n === ids.length ? ids : ids.slice(0, n);
    },
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => charTokenizerJson(vocabulary),
  };
}

function unknown(point: number): never {
  const char = String.fromCodePoint(point);
  const code = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new DataError(
    'unknown_character',
    `The character "${char}" (${code}) does not occur in the training text.`,
    'Leave it out, or choose the byte or BPE tokenizer, which know every character.',
  );
}
