/**
 * What a tokenizer.json says of itself, its vocabulary and merges aside, and which of our
 * tokenizers that is.
 */
import { DataError } from '../errors.ts';
import { END_OF_TEXT } from './byte_level.ts';
import { JsonBytes, malformed } from './json_bytes.ts';

export interface Outline {
  /** Settings of the file and of its model, by key. Maps, because a key may be __proto__. */
  file: Map<string, unknown>;
  model: Map<string, unknown>;
  /** Where the values of model.vocab and model.merges begin in the file, or -1. */
  vocabAt: number;
  mergesAt: number;
}

/** No tokenizer.json has more settings than this on one level. */
const MAX_SETTINGS = 64;

export function readOutline(bytes: Uint8Array): Outline {
  const outline: Outline = { file: new Map(), model: new Map(), vocabAt: -1, mergesAt: -1 };
  const reader = new JsonBytes(bytes);
  let settings = 0;
  reader.object((key) => {
    if (++settings > MAX_SETTINGS) throw malformed('it has too many settings');
    if (key !== 'model') {
      outline.file.set(key, reader.value());
      return;
    }
    reader.object((setting) => {
      if (++settings > MAX_SETTINGS) throw malformed('it has too many settings');
      if (setting === 'vocab') outline.vocabAt = reader.position;
      else if (setting === 'merges') outline.mergesAt = reader.position;
      else {
        outline.model.set(setting, reader.value());
        return;
      }
      reader.skip();
    });
  });
  reader.end();
  return outline;
}

export const unsupported = (detail: string): DataError =>
  new DataError(
    'tokenizer_unsupported',
    `This kind of tokenizer.json is not supported: ${detail}.`,
    'Choose a byte-level BPE such as that of GPT-2, or train a tokenizer here.',
  );

/** A property of its own, or undefined. */
export function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

const typeOf = (value: unknown) => own(value, 'type');
const unset = (value: unknown) =>
  value === undefined || value === null || value === false || value === '';

/**
 * 'char' and 'byte_level' are what we write ourselves (and GPT-2's own file is byte_level too).
 * @throws DataError tokenizer_unsupported for anything else.
 */
export function kindOf({ file, model, vocabAt }: Outline): 'char' | 'byte_level' {
  const type = model.get('type');
  if (type !== 'BPE')
    throw unsupported(
      typeof type === 'string' ? `its model is ${type.slice(0, 40)}` : 'it names no model',
    );
  if (vocabAt < 0) throw malformed('it has no vocabulary');
  for (const setting of [
    'dropout',
    'unk_token',
    'continuing_subword_prefix',
    'end_of_word_suffix',
    'byte_fallback',
    'ignore_merges',
  ]) {
    if (!unset(model.get(setting))) throw unsupported(`its model sets ${setting}`);
  }
  for (const part of ['normalizer', 'truncation', 'padding']) {
    if (!unset(file.get(part))) throw unsupported(`it has a ${part}`);
  }
  const pre = file.get('pre_tokenizer');
  const decoder = typeOf(file.get('decoder'));
  if (unset(pre) && decoder === 'Fuse') return 'char';
  const post = file.get('post_processor');
  if (!unset(post) && typeOf(post) !== 'ByteLevel') throw unsupported('it has a post-processor');
  const gpt2 =
    typeOf(pre) === 'ByteLevel' &&
    own(pre, 'add_prefix_space') === false &&
    own(pre, 'use_regex') !== false;
  if (!gpt2 || decoder !== 'ByteLevel') throw unsupported('its pre-tokenizer is not that of GPT-2');
  return 'byte_level';
}

/** Id of the end-of-text token among the added tokens, or null where there are none. */
export function addedEndOfText({ file }: Outline): number | null {
  const added = file.get('added_tokens') ?? [];
  if (!Array.isArray(added)) throw malformed('its added tokens are not a list');
  if (added.length === 0) return null;
  const token: unknown = added[0];
  const plain = ['single_word', 'lstrip', 'rstrip'].every((setting) => unset(own(token, setting)));
  if (
    added.length > 1 ||
    own(token, 'content') !== END_OF_TEXT ||
    own(token, 'special') !== true ||
    !plain
  ) {
    throw unsupported('it adds tokens of its own');
  }
  const id = own(token, 'id');
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
    throw malformed('an added token has no id');
  return id;
}
