/**
 * A tokenizer.json made elsewhere. GPT-2's kind goes to our own encoder; other BPE and Unigram
 * models go to
 * @huggingface/tokenizers, which is loaded for them alone (about 3 s a megabyte).
 *
 * What we ask of a tokenizer is that its tokens spell the text: WordPiece and WordLevel lose spaces
 * and case, so bits per byte would mean nothing, and they are refused.
 */
import type { Tokenizer as Library } from '@huggingface/tokenizers';
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { byteOfPoint, NO_BYTES } from './byte_level.ts';
import { JsonBytes, malformed } from './json_bytes.ts';
import { own, unsupported } from './outline.ts';
import { jsonBytes, readTokenizer } from './read.ts';
import { TokenBytes } from './token_bytes.ts';
import { utf8 } from './utf8.ts';

/** Names that end a document, in the order in which they are looked for among the added tokens. */
const END_NAMES = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|im_end|>'];
const MAX_VOCAB = 1 << 19;
/**
 * Brackets and commas outside strings: a tokenizer of MAX_VOCAB has fewer, and they bound what
 * parsing can allocate.
 */
const MAX_NODES = 1 << 22;

/** @throws DataError tokenizer_malformed or tokenizer_unsupported, and nothing else. */
export async function importTokenizer(json: unknown): Promise<Tokenizer> {
  const bytes = jsonBytes(json);
  try {
    return readTokenizer(bytes, 'imported');
  } catch (error) {
    if (!(error instanceof DataError) || error.code !== 'tokenizer_unsupported') throw error;
  }
  const file = parse(bytes);
  const spelling = spellingOf(file);
  const { Tokenizer: LibraryTokenizer } = await import('@huggingface/tokenizers');
  try {
    return wrap(new LibraryTokenizer(file, {}), file, spelling);
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

type Spelling = (entry: string) => Uint8Array | null;

/**
 * How a vocabulary entry spells bytes. @throws DataError tokenizer_unsupported where it does not.
 */
function spellingOf(file: object): Spelling {
  const type = own(own(file, 'model'), 'type');
  if (type !== 'BPE' && type !== 'Unigram')
    throw unsupported(
      typeof type === 'string' ? `its model is ${type.slice(0, 40)}` : 'it names no model',
    );
  const decoder = JSON.stringify(own(file, 'decoder') ?? null);
  if (decoder.includes('"ByteLevel"')) return byteLevelSpelling;
  if (decoder.includes('"Metaspace"') || decoder.includes('\u2581')) return metaspaceSpelling;
  throw unsupported('its decoder does not spell the text');
}

const byteLevelSpelling: Spelling = (entry) => {
  const bytes = Array.from(entry, (char) => byteOfPoint(char.codePointAt(0) ?? -1));
  return bytes.includes(-1) ? null : Uint8Array.from(bytes);
};

/** SentencePiece: U+2581 is a space, <0x41> a byte. */
const metaspaceSpelling: Spelling = (entry) => {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(entry)?.[1];
  return byte === undefined
    ? utf8(entry.replaceAll('\u2581', ' '))
    : Uint8Array.of(parseInt(byte, 16));
};

function wrap(library: Library, file: object, spelling: Spelling): Tokenizer {
  const added = library.get_added_tokens_decoder();
  const entries = library.get_vocab(true);
  let vocab_size = 0;
  for (const id of entries.values()) {
    if (!Number.isInteger(id) || id < 0 || id >= MAX_VOCAB)
      throw malformed('an id lies outside any vocabulary');
    vocab_size = Math.max(vocab_size, id + 1);
  }
  if (vocab_size === 0) throw malformed('its vocabulary is empty');
  const bytes = new Array<Uint8Array>(vocab_size).fill(NO_BYTES);
  for (const [entry, id] of entries) {
    const token = added.get(id);
    if (token === undefined) bytes[id] = spelling(entry) ?? NO_BYTES;
    else bytes[id] = token.special ? NO_BYTES : utf8(entry);
  }
  const tokens = TokenBytes.from(bytes);
  const end = END_NAMES.map((name) => entries.get(name)).find(
    (id) => id !== undefined && added.has(id),
  );
  return {
    kind: 'imported',
    vocab_size,
    eos_token_id: end ?? null,
    encode: (text) => encode(library, text),
    decode: (ids) => decode(library, tokens, ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => file,
  };
}

function encode(library: Library, text: string): Int32Array {
  try {
    return Int32Array.from(library.encode(text, { add_special_tokens: false }).ids);
  } catch {
    throw unsupported('it could not encode a text');
  }
}

/** The library's decoder knows what to do with the first space. */
function decode(library: Library, tokens: TokenBytes, ids: ArrayLike<number>): string {
  const list = Array.from(ids);
  for (const id of list) tokens.of(id);
  try {
    return library.decode(list, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  } catch {
    return tokens.decode(list);
  }
}
