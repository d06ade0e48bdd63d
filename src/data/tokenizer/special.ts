/** Tokenizers with special tokens beyond their own, such as the roles of a conversation. */
import type { Tokenizer } from '../types.ts';
import { NO_BYTES } from './byte_level.ts';
import { Ints } from './ints.ts';
import { ownProperty } from './outline.ts';
import { specialToken } from './tokenizer_json.ts';
import { utf8 } from './utf8.ts';

/**
 * Appends special tokens, whose ids follow the vocabulary in the order given. As in Hugging Face
 * `tokenizers`, their text in a text encodes to them; `encodePlain` does without.
 *
 * @param added Texts of tokens that the tokenizer does not have.
 */
export function withSpecialTokens(base: Tokenizer, added: readonly string[]): Tokenizer {
  if (added.length === 0) return base;
  const first = base.vocab_size;
  const appended = new Map(added.map((text, index) => [text, first + index]));
  const isAppended = (id: number): boolean =>
    Number.isInteger(id) && id >= first && id < first + added.length;
  const toTokenizerJson = (): object => withAddedTokens(base.toTokenizerJson(), appended);
  return {
    kind: base.kind,
    vocab_size: first + added.length,
    eos_token_id: base.eos_token_id,
    special_tokens: new Map([...base.special_tokens, ...appended]),
    encode: (text) => encodeAround(text, appended, (part) => base.encode(part)),
    decode: (ids) => base.decode(Array.from(ids).filter((id) => !isAppended(id))),
    tokenBytes: (id) => (isAppended(id) ? NO_BYTES : base.tokenBytes(id)),
    toTokenizerJson,
    // A brought file is large, so it is written once and not with every checkpoint.
    file: base.file && utf8(JSON.stringify(toTokenizerJson())),
  };
}

function withAddedTokens(file: unknown, appended: ReadonlyMap<string, number>): object {
  const own: unknown = ownProperty(file, 'added_tokens');
  const before: unknown[] = Array.isArray(own) ? own : [];
  const tokens = Array.from(appended, ([content, id]) => specialToken(content, id));
  return { ...(file as object), added_tokens: [...before, ...tokens] };
}

/** Encodes the parts between special tokens with `encode`. */
function encodeAround(
  text: string,
  special: ReadonlyMap<string, number>,
  encode: (part: string) => Int32Array,
): Int32Array {
  const present = [...special.keys()].filter((token) => text.includes(token));
  if (present.length === 0) return encode(text);
  const ids = new Ints();
  for (const part of text.split(patternOf(present))) {
    const id = special.get(part);
    if (id !== undefined) ids.push(id);
    else if (part !== '') ids.pushAll(encode(part));
  }
  return ids.toArray();
}

/**
 * Encodes a text as people write it: the text of a special token stays text. It is cut after its
 * first character, so that the tokenizer does not find it.
 */
export function encodePlain(tokenizer: Tokenizer, text: string): Int32Array {
  const special = [...tokenizer.special_tokens.keys()].filter((token) => text.includes(token));
  if (special.length === 0) return tokenizer.encode(text);
  const ids = new Ints();
  let part = '';
  for (const piece of text.split(patternOf(special))) {
    if (!special.includes(piece)) {
      part += piece;
      continue;
    }
    const [head = ''] = piece;
    ids.pushAll(tokenizer.encode(part + head));
    part = piece.slice(head.length);
  }
  ids.pushAll(tokenizer.encode(part));
  return ids.toArray();
}

/** Matches any of these texts, the longest first, and keeps it when a text is split. */
function patternOf(texts: Iterable<string>): RegExp {
  const longestFirst = [...texts].sort((a, b) => b.length - a.length);
  return new RegExp(`(${longestFirst.map(escaped).join('|')})`, 'u');
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
