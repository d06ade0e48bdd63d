/**
 * Prepares the text of a configuration, or the user's own: tokenizer, tokens and the summary that
 * the data panel shows.
 */
import type { TableFacts } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import {
  type CorpusSplit,
  loadCorpus,
  makeSplit,
  makeTokenizer,
  makeTokenSplitInSlices,
  memorizationIndex,
  summarize,
  type Tokenizer,
} from '../data/index.ts';
import type { OwnText } from '../protocol/index.ts';
import type { PreparedText, PrepareOptions, TextSources } from './prepared_text.ts';

/** Reads, splits and encodes the text. Throws DataError, with code `cancelled` where aborted. */
export async function prepareText(
  config: RunConfig,
  options: PrepareOptions,
): Promise<PreparedText> {
  const { progress, signal } = options;
  if (options.stage) {
    const { prepareStageText } = await import('./stage_text.ts');
    return prepareStageText(options.stage, options);
  }
  progress('Reading the text.', null);
  const text = options.text ?? null;
  const { split_version: version } = options;
  const corpus = await loadCorpus(config.data, text ? { text, version } : {});
  const { val_fraction } = config.data;
  const split = makeSplit(corpus, { val_fraction, version, keep_repeats: text?.keep_repeats });
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
    text: text && withReading(text, split.table),
  };
}

/** The text with the column and the format that were read, so that a saved run keeps them. */
function withReading(text: OwnText, table: TableFacts | null): OwnText {
  // Each of several files has a column of its own.
  if (!table || text.files) return text;
  const read = { ...text, column: table.column };
  return table.format ? { ...read, format: table.format } : read;
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
  #bytes: Uint8Array | undefined;
  #text: PreparedText | null = null;

  async get(config: RunConfig, options: PrepareOptions): Promise<PreparedText> {
    // A checkpoint's tokenizer is not part of the key.
    if (options.tokenizer) return prepareText(config, options);
    const key = cacheKey(config, options);
    const bytes = options.text?.bytes;
    if (this.#text && this.#key === key && areEqual(this.#bytes, bytes)) return this.#text;
    const prepared = await prepareText(config, options);
    this.#key = key;
    this.#bytes = bytes;
    this.#text = prepared;
    return prepared;
  }
}

/** Everything that the preparation depends on, but the bytes of the text. */
function cacheKey(config: RunConfig, options: TextSources): string {
  const { bytes: _bytes, ...reading } = options.text ?? {};
  return JSON.stringify([
    config.data,
    config.tokenizer,
    options.tokenizer_json ?? '',
    options.split_version ?? null,
    reading,
  ]);
}

function areEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (!a || !b) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
