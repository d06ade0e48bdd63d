/**
 * Measures how fast text is encoded, as in the page's worker: a tokenizer is trained, then both
 * sides of the split are encoded in slices. No backend is started.
 */
import { defaultConfig } from '../src/config/index.ts';
import { loadMobyDick, loadSotu } from '../src/data/corpora/assets.ts';
import {
  makeSplit,
  makeTokenizer,
  makeTokenSplitInSlices,
  tokenizerFromJson,
} from '../src/data/index.ts';
import type { CorpusSplit, Tokenizer } from '../src/data/index.ts';
import { median } from './statistics.ts';

/** Texts that `run.mjs` copies next to the page. */
const TEXTS = ['novel', 'speeches'] as const;
type TextName = (typeof TEXTS)[number];

export interface EncodeOptions {
  vocab_size: number;
  repeats: number;
}

export interface EncodeRow {
  mode: 'encode';
  /** The encoded text; the tokenizer is trained on the novel. */
  text: TextName;
  vocab_size: number;
  megabytes: number;
  tokens: number;
  trainMs: number;
  /** Median of the repeats, each with an empty word cache. */
  encodeMs: number;
  mbPerSec: number;
  browser: string;
}

/**
 * Trains a byte-level BPE tokenizer on the novel (10,000 tokens in the preset "The classic") and
 * encodes the novel and a text that it was not trained on. Throws DataError.
 */
export async function measureEncoding(
  { vocab_size, repeats }: EncodeOptions,
  log: (line: string) => void,
): Promise<EncodeRow[]> {
  const novel = await read('novel');
  const begin = performance.now();
  const trained = await makeTokenizer(
    { ...defaultConfig().tokenizer, kind: 'bpe', vocab_size },
    novel,
  );
  const trainMs = performance.now() - begin;
  const json = trained.toTokenizerJson();
  const rows: EncodeRow[] = [];
  for (const text of TEXTS) {
    const row = await encode(
      text === 'novel' ? novel : await read(text),
      () => tokenizerFromJson(json),
      Math.max(1, repeats),
    );
    log(`${text}: ${row.mbPerSec.toFixed(1)} MB/s`);
    rows.push({
      mode: 'encode',
      text,
      vocab_size: trained.vocab_size,
      trainMs,
      browser: navigator.userAgent,
      ...row,
    });
  }
  return rows;
}

async function read(text: TextName): Promise<CorpusSplit> {
  // Next to the page; the worker is in a subfolder.
  const corpus = await (text === 'novel' ? loadMobyDick : loadSotu)(async () => {
    const response = await fetch(new URL(`../texts/${text}.txt`, self.location.href));
    if (!response.ok)
      throw new Error(`texts/${text}.txt is not next to the page: run npm run bench -- --encode.`);
    return response.text();
  });
  return makeSplit(corpus, defaultConfig().data);
}

/** Encodes a split `repeats` times, each with a new tokenizer. */
export async function encode(
  split: CorpusSplit,
  make: () => Tokenizer,
  repeats: number,
): Promise<Pick<EncodeRow, 'megabytes' | 'tokens' | 'encodeMs' | 'mbPerSec'>> {
  const megabytes =
    [...split.train, ...split.val].reduce(
      (n, document) => n + new TextEncoder().encode(document).length,
      0,
    ) / 1e6;
  const times: number[] = [];
  let tokens = 0;
  for (let r = 0; r < repeats; r++) {
    const tokenizer = make();
    const begin = performance.now();
    const made = await makeTokenSplitInSlices(split, tokenizer);
    times.push(performance.now() - begin);
    tokens = made.train.length + made.val.length;
  }
  const encodeMs = median(times);
  return { megabytes, tokens, encodeMs, mbPerSec: (1000 * megabytes) / encodeMs };
}
