/** The settings of a tokenizer.json, without its vocabulary and merges, and what kind it is. */
import { END_OF_TEXT } from './byte_level.ts';
import { malformed, unsupported } from './file_errors.ts';
import { JsonBytes } from './json_bytes.ts';

export interface Outline {
  /** Settings of the file by key. A Map, because a key may be __proto__. */
  file: Map<string, unknown>;
  /** Settings of its model by key. */
  model: Map<string, unknown>;
  /** Offset in the file of the value of model.vocab, or -1. */
  vocabOffset: number;
  /** Offset in the file of the value of model.merges, or -1. */
  mergesOffset: number;
}

/** Largest number of settings that is read; no tokenizer.json has as many. */
const MAX_SETTINGS = 64;

/** Settings of the model that none of our tokenizers has. */
const UNSUPPORTED_SETTINGS = [
  'dropout',
  'unk_token',
  'continuing_subword_prefix',
  'end_of_word_suffix',
  'byte_fallback',
  'ignore_merges',
];

/** @throws DataError tokenizer_malformed */
export function readOutline(bytes: Uint8Array): Outline {
  const outline: Outline = {
    file: new Map(),
    model: new Map(),
    vocabOffset: -1,
    mergesOffset: -1,
  };
  const reader = new JsonBytes(bytes);
  let settings = 0;
  const countSetting = () => {
    settings++;
    if (settings > MAX_SETTINGS) throw malformed('it has too many settings');
  };
  const readModel = () =>
    reader.object((setting) => {
      countSetting();
      if (setting === 'vocab') {
        outline.vocabOffset = reader.position;
        reader.skip();
      } else if (setting === 'merges') {
        outline.mergesOffset = reader.position;
        reader.skip();
      } else outline.model.set(setting, reader.value());
    });
  reader.object((key) => {
    countSetting();
    if (key === 'model') readModel();
    else outline.file.set(key, reader.value());
  });
  reader.end();
  return outline;
}

/** An own property of an object, or undefined. */
export function ownProperty(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

const typeOf = (value: unknown): unknown => ownProperty(value, 'type');

const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || value === false || value === '';

/** The error for a model whose type we do not read. */
export const unsupportedModel = (type: unknown) =>
  unsupported(typeof type === 'string' ? `its model is ${type.slice(0, 40)}` : 'it names no model');

/**
 * Which of the tokenizers that we write this is; GPT-2's own file is 'byte_level' too.
 *
 * @throws DataError tokenizer_unsupported if it is none of them, tokenizer_malformed if it has no
 * vocabulary.
 */
export function kindOf({ file, model, vocabOffset }: Outline): 'char' | 'byte_level' {
  const type = model.get('type');
  if (type !== 'BPE') throw unsupportedModel(type);
  if (vocabOffset < 0) throw malformed('it has no vocabulary');
  for (const setting of UNSUPPORTED_SETTINGS)
    if (!isUnset(model.get(setting))) throw unsupported(`its model sets ${setting}`);
  for (const part of ['normalizer', 'truncation', 'padding'])
    if (!isUnset(file.get(part))) throw unsupported(`it has a ${part}`);
  const preTokenizer = file.get('pre_tokenizer');
  const decoder = typeOf(file.get('decoder'));
  if (isUnset(preTokenizer) && decoder === 'Fuse') return 'char';
  const postProcessor = file.get('post_processor');
  if (!isUnset(postProcessor) && typeOf(postProcessor) !== 'ByteLevel')
    throw unsupported('it has a post-processor');
  if (!isGpt2PreTokenizer(preTokenizer) || decoder !== 'ByteLevel')
    throw unsupported('its pre-tokenizer is not that of GPT-2');
  return 'byte_level';
}

const isGpt2PreTokenizer = (preTokenizer: unknown): boolean =>
  typeOf(preTokenizer) === 'ByteLevel' &&
  ownProperty(preTokenizer, 'add_prefix_space') === false &&
  ownProperty(preTokenizer, 'use_regex') !== false;

/** Special tokens that a file adds to its model. */
export interface AddedSpecials {
  /** Id of the end-of-text token, or null. */
  eos: number | null;
  /** The others by id, which are appended to the vocabulary. */
  others: ReadonlyMap<number, string>;
}

/**
 * @throws DataError tokenizer_unsupported for an added token that is not special, or that takes the
 * spaces around it.
 */
export function addedSpecials({ file }: Outline): AddedSpecials {
  const added = file.get('added_tokens') ?? [];
  if (!Array.isArray(added)) throw malformed('its added tokens are not a list');
  let eos: number | null = null;
  const others = new Map<number, string>();
  for (const token of added as unknown[]) {
    const { id, content } = specialToken(token);
    if (content === END_OF_TEXT && eos === null) eos = id;
    else if (others.has(id)) throw malformed('two added tokens have the same id');
    else others.set(id, content);
  }
  return { eos, others };
}

function specialToken(token: unknown): { id: number; content: string } {
  const content = ownProperty(token, 'content');
  const isPlain = ['single_word', 'lstrip', 'rstrip'].every((setting) =>
    isUnset(ownProperty(token, setting)),
  );
  const isSpecial = ownProperty(token, 'special') === true;
  if (typeof content !== 'string' || content === '' || !isSpecial || !isPlain)
    throw unsupported('it adds tokens of its own');
  const id = ownProperty(token, 'id');
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
    throw malformed('an added token has no id');
  return { id, content };
}
