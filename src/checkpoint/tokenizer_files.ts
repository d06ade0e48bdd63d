/** tokenizer.json as far as a checkpoint must know it, and the two small files that transformers reads beside it. */
import type { SamplingConfig } from '../config/index.ts';
import type { Tokenizer } from '../data/types.ts';
import { CheckpointError, damaged } from './error.ts';
import type { SpecialTokens } from './hf_config.ts';
import { isRecord, type JsonRecord } from './json.ts';

/** A tokenizer of the data room, or the JSON that one was or will be made of. */
export type TokenizerSource = Pick<Tokenizer, 'eos_token_id' | 'toTokenizerJson'> | JsonRecord;

const FILE = 'tokenizer.json';
/** A vocabulary of 150,000 tokens with its merges has about 10 MB. */
const MAX_TOKENIZER = 256 * 2 ** 20;

const isTokenizer = (source: TokenizerSource): source is Pick<Tokenizer, 'eos_token_id' | 'toTokenizerJson'> => typeof source.toTokenizerJson === 'function';

export function tokenizerJson(source: TokenizerSource): JsonRecord {
  const json = isTokenizer(source) ? source.toTokenizerJson() : source;
  if (!isRecord(json)) throw damaged('bad_tokenizer', FILE, 'it does not hold a JSON object');
  return json;
}

export const tokenizerEos = (source: TokenizerSource): number | null => (isTokenizer(source) ? source.eos_token_id : null);

/**
 * Parses tokenizer.json. Any string may be a token, so its keys are not judged here; whoever builds the tokenizer does.
 * Throws `bad_tokenizer` or `too_large`.
 */
export function parseTokenizer(bytes: Uint8Array): JsonRecord {
  if (bytes.length > MAX_TOKENIZER) throw new CheckpointError('too_large', `${FILE} has ${bytes.length} bytes, and at most ${MAX_TOKENIZER} are read.`, 'Check that this is the right file.');
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged('bad_tokenizer', FILE, 'it is not valid JSON', cause);
  }
  if (!isRecord(json)) throw damaged('bad_tokenizer', FILE, 'it does not hold a JSON object');
  return json;
}

/** One more than the largest token id. Throws `bad_tokenizer` where ids are not whole numbers. */
export function tokenizerVocabSize(json: JsonRecord): number {
  const vocab = isRecord(json.model) ? json.model.vocab : undefined;
  let size = 0;
  const add = (id: unknown) => {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) throw damaged('bad_tokenizer', FILE, 'a token has no whole number as its id');
    size = Math.max(size, id + 1);
  };
  // Unigram lists [token, score] pairs in the order of their ids; the others map token to id.
  if (Array.isArray(vocab)) size = vocab.length;
  else if (isRecord(vocab)) for (const id of Object.values(vocab)) add(id);
  else throw damaged('bad_tokenizer', FILE, 'it has no vocabulary');
  for (const token of addedTokens(json)) add(token.id);
  return size;
}

const addedTokens = (json: JsonRecord): JsonRecord[] => (Array.isArray(json.added_tokens) ? json.added_tokens.filter(isRecord) : []);

/** Every id of the tokenizer needs a row in the embedding; more rows than ids are padding. Throws `vocab_mismatch`. */
export function checkVocabulary(json: JsonRecord, vocab_size: number): void {
  const size = tokenizerVocabSize(json);
  if (size > vocab_size) {
    throw new CheckpointError('vocab_mismatch', `The tokenizer has ${size} tokens, and the model has room for ${vocab_size}.`, 'Bring the tokenizer.json that this model was trained with.');
  }
}

/** tokenizer_config.json. Clean-up would take spaces out of decoded text, and then it would not be the text of the ids. */
export function tokenizerConfig(json: JsonRecord, { bos_token_id, eos_token_id }: SpecialTokens, block_size: number): Record<string, unknown> {
  const text = (id: number | null) => addedTokens(json).find((token) => token.id === id && id !== null)?.content;
  const bos = text(bos_token_id), eos = text(eos_token_id);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false, model_max_length: block_size,
    ...(typeof bos === 'string' ? { bos_token: bos } : {}), ...(typeof eos === 'string' ? { eos_token: eos } : {}),
  };
}

/** generation_config.json: what `model.generate` does unasked. A temperature of 0 means the likeliest token. */
export function generationConfig(sampling: SamplingConfig, { bos_token_id, eos_token_id }: SpecialTokens): Record<string, unknown> {
  const sample = sampling.temperature > 0;
  return {
    ...(bos_token_id === null ? {} : { bos_token_id }), ...(eos_token_id === null ? {} : { eos_token_id }),
    max_new_tokens: sampling.max_new_tokens, do_sample: sample,
    ...(sample ? { temperature: sampling.temperature, top_k: sampling.top_k, top_p: sampling.top_p } : {}),
    ...(sample && sampling.min_p > 0 ? { min_p: sampling.min_p } : {}),
  };
}

