/**
 * A tokenizer.json made elsewhere. GPT-2's kind is read by our own encoder; other BPE and Unigram
 * models by @huggingface/tokenizers, which is loaded only for them (it takes about 3 s per
 * megabyte).
 *
 * The tokens must spell the text exactly. WordPiece and WordLevel lose spaces and case, which would
 * make bits per byte meaningless, and are refused.
 */
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { byteOfPoint, NO_BYTES } from './byte_level.ts';
import { malformed, unsupported } from './file_errors.ts';
import { JsonBytes } from './json_bytes.ts';
import type { BoundedLibrary } from './library/bounded.ts';
import { MAX_VOCAB } from './library/limits.ts';
import { ownProperty, unsupportedModel } from './outline.ts';
import { jsonBytes, readTokenizer } from './read.ts';
import { TokenBytes } from './token_bytes.ts';
import { utf8 } from './utf8.ts';

/** Names of the end-of-text token among the added tokens; the first one found is used. */
const END_NAMES = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|im_end|>'];

/**
 * Largest number of opening brackets and commas in a file, which bounds what parsing can allocate. A
 * tokenizer of MAX_VOCAB tokens has fewer.
 */
const MAX_NODES = 1 << 22;

/** U+2581, which SentencePiece writes for a space. */
const METASPACE = '\u2581';

/**
 * Reads a tokenizer.json. The tokenizer keeps the bytes, so that it is saved as it was brought.
 *
 * @param json The bytes or text of the file, or its parsed value.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported, and nothing else for any input.
 */
export async function importTokenizer(json: unknown): Promise<Tokenizer> {
  // A copy: the bytes may be a view of a whole archive.
  const file = jsonBytes(json).slice();
  return { ...(await readTokenizerFile(file)), file };
}

async function readTokenizerFile(bytes: Uint8Array): Promise<Tokenizer> {
  try {
    return readTokenizer(bytes, 'imported');
  } catch (error) {
    if (!(error instanceof DataError) || error.code !== 'tokenizer_unsupported') throw error;
  }
  const file = parse(bytes);
  const spell = spellingOf(file);
  const { boundedLibrary } = await import('./library/bounded.ts');
  try {
    return { ...wrap(await boundedLibrary(file), spell), toTokenizerJson: () => parse(bytes) };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw unsupported('a part of it is unknown');
  }
}

function parse(bytes: Uint8Array): object {
  if (new JsonBytes(bytes).nodes() > MAX_NODES) throw malformed('it has too many parts');
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw malformed('it is not JSON');
  }
  if (typeof file !== 'object' || file === null) throw malformed('it is not an object');
  return file;
}

/** The bytes of a vocabulary entry, or null if it has none. */
type Spelling = (entry: string) => Uint8Array | null;

/** @throws DataError tokenizer_unsupported if the entries do not spell the text. */
function spellingOf(file: object): Spelling {
  const type = ownProperty(ownProperty(file, 'model'), 'type');
  if (type !== 'BPE' && type !== 'Unigram') throw unsupportedModel(type);
  const decoder = JSON.stringify(ownProperty(file, 'decoder') ?? null);
  if (decoder.includes('"ByteLevel"')) return byteLevelSpelling;
  if (decoder.includes('"Metaspace"') || decoder.includes(METASPACE)) return metaspaceSpelling;
  throw unsupported('its decoder does not spell the text');
}

const byteLevelSpelling: Spelling = (entry) => {
  const bytes = Array.from(entry, (char) => byteOfPoint(char.codePointAt(0) ?? -1));
  return bytes.includes(-1) ? null : Uint8Array.from(bytes);
};

/** SentencePiece: U+2581 is a space, <0x41> a byte. */
const metaspaceSpelling: Spelling = (entry) => {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(entry)?.[1];
  if (byte !== undefined) return Uint8Array.of(parseInt(byte, 16));
  return utf8(entry.replaceAll(METASPACE, ' '));
};

function wrap(library: BoundedLibrary, spell: Spelling): Omit<Tokenizer, 'toTokenizerJson'> {
  const { added } = library;
  const special = library.tokenizer.get_added_tokens_decoder();
  const entries = library.tokenizer.get_vocab(true);
  const bytes = new Array<Uint8Array>(vocabSize(entries.values())).fill(NO_BYTES);
  for (const [entry, id] of entries) {
    // Ids without a token are holes in the list.
    if (typeof entry !== 'string') continue;
    const content = added.get(id);
    if (content === undefined) bytes[id] = spell(entry) ?? NO_BYTES;
    else if (special.get(id)?.special) bytes[id] = NO_BYTES;
    else bytes[id] = utf8(content);
  }
  const tokens = TokenBytes.from(bytes);
  const idOfContent = new Map(Array.from(added, ([id, content]) => [content, id]));
  const endOfText = END_NAMES.map((name) => idOfContent.get(name)).find((id) => id !== undefined);
  return {
    kind: 'imported',
    vocab_size: tokens.size,
    eos_token_id: endOfText ?? null,
    special_tokens: new Map([...idOfContent].filter(([, id]) => special.get(id)?.special)),
    encode: (text) => encode(library, text),
    decode: (ids) => decode(library, tokens, ids),
    tokenBytes: (id) => tokens.of(id),
  };
}

/** One more than the largest id. */
function vocabSize(ids: Iterable<number>): number {
  let size = 0;
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= MAX_VOCAB)
      throw malformed('an id lies outside any vocabulary');
    size = Math.max(size, id + 1);
  }
  if (size === 0) throw malformed('its vocabulary is empty');
  return size;
}

function encode(library: BoundedLibrary, text: string): Int32Array {
  try {
    return Int32Array.from(library.encode(text));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw unsupported('it could not encode a text');
  }
}

/** Decodes with the library, whose decoder removes the space that its encoder adds in front. */
function decode({ tokenizer }: BoundedLibrary, tokens: TokenBytes, ids: ArrayLike<number>): string {
  const list = Array.from(ids);
  // Throws for ids outside the vocabulary.
  for (const id of list) tokens.of(id);
  try {
    return tokenizer.decode(list, {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  } catch {
    return tokens.decode(list);
  }
}
