/** Bits per byte of an open model on the validation text that its base model was evaluated on. */
import { CheckpointError, type RunStore } from '../../checkpoint/index.ts';
import type { Lineage, MeasuredValue, OwnText } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import {
  bytesPerToken,
  DataError,
  loadCorpus,
  makeSplit,
  makeTokenSplitInSlices,
  type Tokenizer,
} from '../../data/index.ts';
import { bitsPerByte } from '../../evaluation/index.ts';
import type { StorageContext } from '../run_parts.ts';
import type { OpenModel } from './open_model.ts';

export interface TextOptions {
  /** Most windows that are scored. */
  windows: number;
  /** Called before each batch: it may throw, to end the work. */
  before: (done: number, total: number) => Promise<void>;
}

export interface TextResult {
  /** Name of the text. */
  text: string;
  value: MeasuredValue;
}

/** What the base model of a chain was trained on. */
interface BaseText {
  config: RunConfig;
  lineage: Lineage;
  own: OwnText | null;
}

/** One sentence instead if there is no such text. */
export async function textBitsPerByte(
  model: OpenModel,
  context: Pick<StorageContext, 'storage'>,
  { windows, before }: TextOptions,
): Promise<TextResult | string> {
  const { run } = model.checkpoint;
  if (run === null)
    return 'A model from files has no validation text, so bits per byte is left out.';
  const base = await baseText(await context.storage(), run);
  if (typeof base === 'string') return base;
  try {
    const { val, name } = await validationTokens(base, model.tokenizer);
    const rows = windowsOf(val, model.model.block_size, windows);
    if (rows.length === 0) return 'The validation text is too short, so bits per byte is left out.';
    const logps = await model.scorer.logps(rows, (done) => before(done, rows.length));
    const bytes = bytesPerToken(model.tokenizer);
    const scored = rows.map((row, i) => ({
      logp: (logps[i] ?? new Float32Array()).reduce((sum, logp) => sum + logp, 0),
      bytes: row.subarray(1).reduce((sum, id) => sum + (bytes[id] ?? 0), 0),
    }));
    const value = { metric: 'bits_per_byte', ...bitsPerByte(scored), interval: 'mean' } as const;
    return { text: name, value };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return `Bits per byte is left out: ${error.message}`;
  }
}

/** The run at the root of the lineage that storage still has. */
async function baseText(store: RunStore, run: string): Promise<BaseText | string> {
  const runs = new Map((await store.list()).map((record) => [record.run, record]));
  let record = runs.get(run);
  while (record && record.lineage.objective !== 'pretrain') {
    const { parent } = record.lineage;
    if (parent?.kind !== 'run') {
      return 'The base model was made elsewhere, so that its validation text is not known; bits per byte is left out.';
    }
    record = runs.get(parent.run);
  }
  if (!record) {
    return 'The run of the base model was deleted, and its validation text with it; bits per byte is left out.';
  }
  const { config, lineage } = record;
  try {
    return { config, lineage, own: await store.transfer.text(record.run) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return `Bits per byte is left out: ${error.message}`;
  }
}

async function validationTokens(
  { config, lineage, own }: BaseText,
  tokenizer: Tokenizer,
): Promise<{ val: Int32Array; name: string }> {
  const version = lineage.split_version ?? 1;
  const corpus = await loadCorpus(config.data, own ? { text: own, version } : {});
  const { val_fraction } = config.data;
  const split = makeSplit(corpus, { val_fraction, version, keep_repeats: own?.keep_repeats });
  const onlyVal = { ...split, train: [] };
  const { signal } = new AbortController();
  const { val } = await makeTokenSplitInSlices(onlyVal, tokenizer, {
    signal,
    onProgress: () => undefined,
  });
  return { val, name: split.name };
}

/** Windows of the text, evenly spaced and without overlap, at most `count`. */
function windowsOf(val: Int32Array, block_size: number, count: number): Int32Array[] {
  const width = Math.min(block_size, val.length - 1);
  if (width < 1) return [];
  const most = Math.min(count, Math.floor((val.length - 1) / width));
  const lastStart = val.length - 1 - width;
  return Array.from({ length: most }, (_, i) => {
    const start = most === 1 ? 0 : Math.floor((i * lastStart) / (most - 1));
    return val.slice(start, start + width + 1);
  });
}
