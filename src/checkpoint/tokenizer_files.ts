/**
 * tokenizer.json as far as a checkpoint must know it, and the two small files that transformers
 * reads beside it.
 */
import type { SamplingConfig } from '../config/index.ts';
import { DataError } from '../data/errors.ts';
import type { Tokenizer } from '../data/types.ts';
import { JsonBytes } from '../data/tokenizer/json_bytes.ts';
import { readOutline, type Outline } from '../data/tokenizer/outline.ts';
import { CheckpointError, damaged } from './error.ts';
import type { SpecialTokens } from './hf_config.ts';
import { encodeJson, isRecord, type JsonRecord } from './json.ts';

/** A tokenizer of the data room, or a tokenizer.json: its bytes, kept as they are, or its value. */
export type TokenizerSource =
  Pick<Tokenizer, 'eos_token_id' | 'toTokenizerJson'> | Uint8Array | JsonRecord;

const FILE = 'tokenizer.json';
/** As the data room has it: a vocabulary of 150,000 tokens with its merges has about 10 MB. */
const MAX_TOKENIZER = 2 ** 25;

const isTokenizer = (
  source: TokenizerSource,
): source is Pick<Tokenizer, 'eos_token_id' | 'toTokenizerJson'> =>
  'toTokenizerJson' in source && typeof source.toTokenizerJson === 'function';

/** Bytes of tokenizer.json. */
export const tokenizerBytes = (source: TokenizerSource): Uint8Array =>
  source instanceof Uint8Array
    ? source
    : encodeJson(isTokenizer(source) ? source.toTokenizerJson() : source);

export const tokenizerEos = (source: TokenizerSource): number | null =>
  !(source instanceof Uint8Array) && isTokenizer(source) ? source.eos_token_id : null;

/**
 * What a checkpoint needs to know of a tokenizer: one more than its largest id, and the texts of
 * its added tokens.
 */
export interface TokenizerFacts {
  vocab_size: number;
  added: ReadonlyMap<number, string>;
}

/** Reads the ids without building the vocabulary. Throws `bad_tokenizer` or `too_large`. */
export function tokenizerFacts(bytes: Uint8Array): TokenizerFacts {
  if (bytes.length > MAX_TOKENIZER)
    throw new CheckpointError(
      'too_large',
      `${FILE} has ${bytes.length} bytes, and at most ${MAX_TOKENIZER} are read.`,
      'Check that this is the right file.',
    );
  try {
    const outline = readOutline(bytes);
    const added = addedTokens(outline);
    return {
      vocab_size: Math.max(
        vocabulary(bytes, outline.vocabAt),
        ...[...added.keys()].map((id) => id + 1),
      ),
      added,
    };
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new CheckpointError('bad_tokenizer', cause.message, cause.hint, { cause });
  }
}

/**
 * One more than the largest id of model.vocab: an object of ids, or (Unigram) a list in the order
 * of the ids.
 */
function vocabulary(bytes: Uint8Array, at: number): number {
  if (at < 0) throw damaged('bad_tokenizer', FILE, 'it has no vocabulary');
  let size = 0;
  const reader = new JsonBytes(bytes, at);
  if (/^\s*\[/.test(new TextDecoder('latin1').decode(bytes.subarray(at, at + 64))))
    reader.array(() => {
      reader.skip();
      size++;
    });
  else
    reader.entries(() => {
      size = Math.max(size, reader.id() + 1);
    });
  return size;
}

function addedTokens({ file }: Outline): Map<number, string> {
  const list = file.get('added_tokens') ?? [];
  const added = new Map<number, string>();
  if (!Array.isArray(list)) throw damaged('bad_tokenizer', FILE, 'its added tokens are not a list');
  for (const token of list.filter(isRecord)) {
    if (typeof token.id !== 'number' || !Number.isSafeInteger(token.id) || token.id < 0)
      throw damaged('bad_tokenizer', FILE, 'an added token has no whole number as its id');
    if (typeof token.content === 'string') added.set(token.id, token.content);
  }
  return added;
}

/**
 * Every id of the tokenizer needs a row in the embedding; more rows than ids are padding. Throws
 * `vocab_mismatch`.
 */
export function checkVocabulary({ vocab_size: size }: TokenizerFacts, vocab_size: number): void {
  if (size > vocab_size) {
    throw new CheckpointError(
      'vocab_mismatch',
      `The tokenizer has ${size} tokens, and the model has room for ${vocab_size}.`,
      'Bring the tokenizer.json that this model was trained with.',
    );
  }
}

/**
 * tokenizer_config.json. Clean-up would take spaces out of decoded text, and then it would not be
 * the text of the ids.
 */
export function tokenizerConfig(
  { added }: TokenizerFacts,
  { bos_token_id, eos_token_id }: SpecialTokens,
  block_size: number,
): Record<string, unknown> {
  const bos = added.get(bos_token_id ?? -1);
  const eos = added.get(eos_token_id ?? -1);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    model_max_length: block_size,
    ...(bos === undefined ? {} : { bos_token: bos }),
    ...(eos === undefined ? {} : { eos_token: eos }),
  };
}

/**
 * generation_config.json: what `model.generate` does unasked. A temperature of 0 means the
 * likeliest token.
 */
export function generationConfig(
  sampling: SamplingConfig,
  { bos_token_id, eos_token_id }: SpecialTokens,
): Record<string, unknown> {
  const sample = sampling.temperature > 0;
  return {
    ...(bos_token_id === null ? {} : { bos_token_id }),
    ...(eos_token_id === null ? {} : { eos_token_id }),
    max_new_tokens: sampling.max_new_tokens,
    do_sample: sample,
    ...(sample
      ? { temperature: sampling.temperature, top_k: sampling.top_k, top_p: sampling.top_p }
      : {}),
    ...(sample && sampling.min_p > 0 ? { min_p: sampling.min_p } : {}),
  };
}
