/**
 * From a configuration (and perhaps the person's own text) to tokens, tokenizer and the figures of
 * the panel.
 */
import type { RunConfig } from '../config/index.ts';
import {
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
  /** Documents stand for themselves (names, verses), so a sample is judged document by document. */
  by_document: boolean;
  memorized: MemorizationIndex;
  text: OwnText | null;
}

export interface PrepareOptions {
  text?: OwnText | null;
  /** A tokenizer.json of the person's. */
  tokenizer_json?: string;
  /** A tokenizer that is there already: of a checkpoint. */
  tokenizer?: Tokenizer;
  signal: AbortSignal;
  progress(detail: string, share: number | null): void;
}

/** Reads, splits and encodes the text. Throws DataError, `cancelled` included. */
export async function prepareText(config: RunConfig, o: PrepareOptions): Promise<PreparedText> {
  o.progress('Reading the text.', null);
  const corpus = await loadCorpus(config.data, o.text ? { text: o.text } : {});
  const split = makeSplit(corpus, config.data);
  o.progress(
    config.tokenizer.kind === 'bpe' && !o.tokenizer
      ? 'Training the tokenizer.'
      : 'Making the tokenizer.',
    null,
  );
  const tokenizer =
    o.tokenizer ??
    (await makeTokenizer(config.tokenizer, split, {
      signal: o.signal,
      tokenizer_json: o.tokenizer_json,
      onProgress: ({ done, total }) =>
        o.progress(
          `Training the tokenizer: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} merges.`,
          total > 0 ? done / total : null,
        ),
    }));
  o.progress('Encoding the text.', null);
  const tokens = await makeTokenSplitInSlices(split, tokenizer, {
    signal: o.signal,
    onProgress: ({ done, total }) => o.progress('Encoding the text.', done / total),
  });
  return {
    tokenizer,
    tokens,
    summary: summarize(split, tokenizer, tokens),
    separator: split.separator,
    by_document: !split.continuous && corpus.documents.length > 1,
    memorized: memorizationIndex(split),
    text: o.text ?? null,
  };
}

/** Keeps the latest text, so that Train after a look at the panel does not do the work twice. */
export class TextCache {
  private key = '';
  private kept: PreparedText | null = null;

  async get(config: RunConfig, o: PrepareOptions): Promise<PreparedText> {
    const key = JSON.stringify([
      config.data,
      config.tokenizer,
      o.tokenizer_json ?? '',
      o.text?.name ?? '',
      o.text?.column ?? '',
      o.text?.bytes.length ?? 0,
      checksum(o.text?.bytes),
    ]);
    if (this.kept && this.key === key && !o.tokenizer) return this.kept;
    const prepared = await prepareText(config, o);
    if (!o.tokenizer) {
      this.key = key;
      this.kept = prepared;
    }
    return prepared;
  }

  get latest(): PreparedText | null {
    return this.kept;
  }
}

function checksum(bytes: Uint8Array | undefined): number {
  let h = 0;
  for (const b of bytes ?? []) h = (Math.imul(h, 31) + b) | 0;
  return h;
}
