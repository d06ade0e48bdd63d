/**
 * What a checkpoint needs to know about tokenizer.json, and the two small files that transformers
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

type OwnTokenizer = Pick<Tokenizer, 'eos_token_id' | 'toTokenizerJson' | 'file'>;

/** A tokenizer of the data room, the bytes of a tokenizer.json, which stay as they are, or its value. */
export type TokenizerSource = OwnTokenizer | Uint8Array | JsonRecord;

const FILE = 'tokenizer.json';
/** The data room's limit, in bytes. 150,000 tokens with their merges take about 10 MB. */
const MAX_TOKENIZER = 2 ** 25;

const isTokenizer = (source: TokenizerSource): source is OwnTokenizer =>
  'toTokenizerJson' in source && typeof source.toTokenizerJson === 'function';

/** Bytes of tokenizer.json. One that was brought is not parsed and written again. */
export function tokenizerBytes(source: TokenizerSource): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (!isTokenizer(source)) return encodeJson(source);
  return source.file ?? encodeJson(source.toTokenizerJson());
}

/** Id of the end-of-text token; null if there is none or the source does not say. */
export const tokenizerEos = (source: TokenizerSource): number | null =>
  !(source instanceof Uint8Array) && isTokenizer(source) ? source.eos_token_id : null;

export interface TokenizerFacts {
  /** One more than the largest id. */
  vocab_size: number;
  /** Texts of the added tokens by id. */
  added: ReadonlyMap<number, string>;
}

/** Reads the ids without building the vocabulary. Throws `bad_tokenizer` or `too_large`. */
export function tokenizerFacts(bytes: Uint8Array): TokenizerFacts {
  if (bytes.length > MAX_TOKENIZER) {
    throw new CheckpointError(
      'too_large',
      `${FILE} has ${bytes.length} bytes, but the limit is ${MAX_TOKENIZER}.`,
      'Check that this is the right file.',
    );
  }
  try {
    const outline = readOutline(bytes);
    const added = addedTokens(outline);
    let vocab_size = vocabularySize(bytes, outline.vocabOffset);
    for (const id of added.keys()) vocab_size = Math.max(vocab_size, id + 1);
    return { vocab_size, added };
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new CheckpointError('bad_tokenizer', cause.message, cause.hint, { cause });
  }
}

/**
 * One more than the largest id of model.vocab, which starts at byte `start`: an object of ids, or
 * (Unigram) a list whose indices are the ids.
 */
function vocabularySize(bytes: Uint8Array, start: number): number {
  if (start < 0) throw damaged('bad_tokenizer', FILE, 'it has no vocabulary');
  const reader = new JsonBytes(bytes, start);
  const beginning = new TextDecoder('latin1').decode(bytes.subarray(start, start + 64));
  let size = 0;
  if (/^\s*\[/.test(beginning)) {
    reader.array(() => {
      reader.skip();
      size++;
    });
  } else {
    reader.entries(() => {
      size = Math.max(size, reader.id() + 1);
    });
  }
  return size;
}

function addedTokens({ file }: Outline): Map<number, string> {
  const list = file.get('added_tokens') ?? [];
  if (!Array.isArray(list)) throw damaged('bad_tokenizer', FILE, 'its added tokens are not a list');
  const added = new Map<number, string>();
  for (const token of list.filter(isRecord)) {
    if (typeof token.id !== 'number' || !Number.isSafeInteger(token.id) || token.id < 0) {
      throw damaged('bad_tokenizer', FILE, 'the id of an added token is not a whole number');
    }
    if (typeof token.content === 'string') added.set(token.id, token.content);
  }
  return added;
}

/**
 * Checks that every token id has a row in the embedding, which has `rows` rows. More rows than ids
 * are padding. Throws `vocab_mismatch`.
 */
export function checkVocabulary({ vocab_size }: TokenizerFacts, rows: number): void {
  if (vocab_size <= rows) return;
  throw new CheckpointError(
    'vocab_mismatch',
    `The tokenizer has ${vocab_size} tokens, but the model has room for ${rows}.`,
    'Bring the tokenizer.json that this model was trained with.',
  );
}

/**
 * tokenizer_config.json. Clean-up is off because it removes spaces, so that decoded text would not
 * encode to the same ids.
 */
export function tokenizerConfig(
  { added }: TokenizerFacts,
  { bos_token_id, eos_token_id, pad_token_id }: SpecialTokens,
  block_size: number,
): Record<string, unknown> {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    model_max_length: block_size,
    bos_token: added.get(bos_token_id ?? -1),
    eos_token: added.get(eos_token_id ?? -1),
    pad_token: added.get(pad_token_id ?? -1),
  };
}

/** generation_config.json: the defaults of `model.generate`. A temperature of 0 is greedy decoding. */
export function generationConfig(
  sampling: SamplingConfig,
  { bos_token_id, eos_token_id, pad_token_id }: SpecialTokens,
): Record<string, unknown> {
  const { temperature, top_k, top_p, min_p, max_new_tokens } = sampling;
  const config: Record<string, unknown> = {
    bos_token_id: bos_token_id ?? undefined,
    eos_token_id: eos_token_id ?? undefined,
    pad_token_id: pad_token_id ?? undefined,
    max_new_tokens,
    do_sample: temperature > 0,
  };
  if (temperature > 0) Object.assign(config, { temperature, top_k, top_p });
  if (temperature > 0 && min_p > 0) config.min_p = min_p;
  return config;
}
