/**
 * Prepares the text of a configuration, or the user's own: tokenizer, tokens and the summary that
 * the data panel shows.
 */
import type { SplitVersion } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import {
  type CorpusSplit,
  loadCorpus,
  makeSplit,
  makeTokenizer,
  makeTokenSplitInSlices,
  type MemorizationIndex,
  memorizationIndex,
  summarize,
  type Tokenizer,
  type TokenSplit,
} from '../data/index.ts';
import type { DataSummary, OwnText } from '../protocol/index.ts';

export interface PreparedText {
  tokenizer: Tokenizer;
  tokens: TokenSplit;
  summary: DataSummary;
  separator: string;
  /** Documents are independent (names, verses), so samples are compared document by document. */
  by_document: boolean;
  /** The end-of-text token occurs in the training text, or an imported model may know it. */
  knows_end_of_text: boolean;
  memorized: MemorizationIndex;
  text: OwnText | null;
}

/** What the configuration does not say: what the user supplied, or what a checkpoint has. */
export interface TextSources {
  text?: OwnText | null | undefined;
  /** A tokenizer.json that the user opened. */
  tokenizer_json?: string | undefined;
  /** A ready tokenizer: that of a checkpoint. */
  tokenizer?: Tokenizer | undefined;
  /** Of a saved run; the newest by default. */
  split_version?: SplitVersion | undefined;
}

export interface PrepareOptions extends TextSources {
  signal: AbortSignal;
  /** `share` is null where it is unknown. */
  progress: (detail: string, share: number | null) => void;
}

/** Reads, splits and encodes the text. Throws DataError, with code `cancelled` where aborted. */
export async function prepareText(
  config: RunConfig,
  options: PrepareOptions,
): Promise<PreparedText> {
  const { progress, signal } = options;
  progress('Reading the text.', null);
  const text = options.text ?? null;
  const corpus = await loadCorpus(config.data, text ? { text } : {});
  const { val_fraction } = config.data;
  const split = makeSplit(corpus, { val_fraction, version: options.split_version });
  const tokenizer = options.tokenizer ?? (await trainTokenizer(config, split, options));
  progress('Encoding the text.', null);
  const tokens = await makeTokenSplitInSlices(split, tokenizer, {
    signal,
    onProgress: ({ done, total }) => progress('Encoding the text.', done / total),
  });
  return {
    tokenizer,
    tokens,
    summary: summarize(split, tokenizer, tokens),
    separator: split.separator,
    by_document: !split.continuous && corpus.documents.length > 1,
    knows_end_of_text:
      config.tokenizer.kind === 'imported' || tokens.train.includes(tokenizer.eos_token_id ?? -1),
    memorized: memorizationIndex(split),
    text,
  };
}

function trainTokenizer(
  config: RunConfig,
  split: CorpusSplit,
  { progress, signal, tokenizer_json }: PrepareOptions,
): Promise<Tokenizer> {
  const training = config.tokenizer.kind === 'bpe';
  progress(training ? 'Training the tokenizer.' : 'Making the tokenizer.', null);
  return makeTokenizer(config.tokenizer, split, {
    signal,
    tokenizer_json,
    onProgress: ({ done, total }) => {
      const merges = `${done.toLocaleString('en')} of ${total.toLocaleString('en')} merges`;
      progress(`Training the tokenizer: ${merges}.`, total > 0 ? done / total : null);
    },
  });
}

/** Keeps the latest text, so that starting a run after `prepare` does not prepare it again. */
export class TextCache {
  #key = '';
  #text: PreparedText | null = null;

  async get(config: RunConfig, options: PrepareOptions): Promise<PreparedText> {
    // A checkpoint's tokenizer is not part of the key.
    if (options.tokenizer) return prepareText(config, options);
    const key = cacheKey(config, options);
    if (this.#text && this.#key === key) return this.#text;
    const prepared = await prepareText(config, options);
    this.#key = key;
    this.#text = prepared;
    return prepared;
  }
}

function cacheKey(config: RunConfig, { text, tokenizer_json }: TextSources): string {
  return JSON.stringify([
    config.data,
    config.tokenizer,
    tokenizer_json ?? '',
    text?.name ?? '',
    text?.column ?? '',
    text?.bytes.length ?? 0,
    checksum(text?.bytes),
  ]);
}

function checksum(bytes: Uint8Array | undefined): number {
  let hash = 0;
  for (const byte of bytes ?? []) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash;
}
