/**
 * Micro-batches from token streams. Stateless: the rows of a step are a function of (seed, step,
 * global row), so a batch of 8 and two micro-batches of 4 draw the same rows, and a resumed run
 * needs no loader position.
 */
import type { Shard } from '../common/index.ts';
import { DataError } from './errors.ts';
import { hashUnit } from './random.ts';
import type { Batch, TokenSplit } from './types.ts';

/** Separates the draw of rows from other uses of the run's seed. */
const ROWS = 0x726f7773;

export interface TrainBatchOptions {
  split: TokenSplit;
  batch_size: number;
  block_size: number;
  /** Micro-batches per step (gradient_accumulation_steps). */
  accumulation: number;
  seed: number;
  step: number;
  /** Index of the micro-batch within the step. */
  micro: number;
}

/**
 * Random crops of the training tokens, drawn with replacement as in nanoGPT's `get_batch`: ids
 * [batch_size, block_size], targets shifted by one token, and all weights 1 / (batch_size x
 * block_size x accumulation).
 *
 * @throws DataError text_too_short if there are fewer than block_size + 1 training tokens.
 */
export function trainBatch(options: TrainBatchOptions): Batch {
  const { split, batch_size, block_size, accumulation, seed, step, micro } = options;
  const starts = split.train.length - block_size;
  if (starts < 1) throw tooShort(split.train.length, block_size);
  const batch = emptyBatch(batch_size, block_size, micro * batch_size);
  batch.weights.fill(1 / (batch_size * block_size * accumulation));
  for (let row = 0; row < batch_size; row++) {
    const start = Math.floor(hashUnit(ROWS, seed, step, batch.row_offset + row) * starts);
    fillRow(batch, row, split.train.subarray(start, start + block_size + 1));
  }
  return batch;
}

/**
 * The tokens of one shard: a contiguous part of the text. Where a part would be shorter than `least`
 * tokens, it reaches into the next one (the last part: into the one before).
 */
export function shardOf(tokens: Int32Array, { index, count }: Shard, least: number): Int32Array {
  const length = Math.min(tokens.length, Math.max(least, Math.ceil(tokens.length / count)));
  const begin = Math.floor((tokens.length * index) / count);
  const start = Math.max(0, Math.min(begin, tokens.length - length));
  return tokens.subarray(start, start + length);
}

export interface EvalBatchOptions {
  split: TokenSplit;
  batch_size: number;
  block_size: number;
  eval_iters: number;
}

/**
 * The same windows of the validation tokens at every call: evenly spaced, without overlap, at most
 * eval_iters x batch_size of them. Weights are 1 / (tokens of all windows), so the validation loss
 * is the sum over the batches. Rows that the text cannot fill, and positions past the end of a
 * text shorter than a window, have weight 0.
 *
 * @throws DataError text_too_short if there are fewer than two validation tokens.
 */
export function evalBatches(options: EvalBatchOptions): Batch[] {
  const { batch_size, block_size, eval_iters } = options;
  const { val } = options.split;
  if (val.length < 2) throw tooShort(val.length, 1);
  const width = Math.min(block_size, val.length - 1);
  const windows = Math.min(eval_iters * batch_size, Math.floor((val.length - 1) / width));
  const lastStart = val.length - 1 - width;
  const batches: Batch[] = [];
  for (let first = 0; first < windows; first += batch_size) {
    const batch = emptyBatch(batch_size, block_size, first);
    for (let row = 0; row < batch_size && first + row < windows; row++) {
      const start = windows === 1 ? 0 : Math.floor(((first + row) * lastStart) / (windows - 1));
      fillRow(batch, row, val.subarray(start, start + width + 1));
      batch.weights.fill(1 / (windows * width), row * block_size, row * block_size + width);
    }
    batches.push(batch);
  }
  return batches;
}

/**
 * Number of tokens with a weight and the UTF-8 bytes that they stand for. Bits per byte is loss x
 * tokens / bytes / ln 2.
 */
export function targetSize(
  batches: readonly Batch[],
  bytes_per_token: Uint16Array,
): { tokens: number; bytes: number } {
  let tokens = 0;
  let bytes = 0;
  for (const { targets, weights } of batches) {
    for (let i = 0; i < targets.length; i++) {
      if (weights[i] === 0) continue;
      tokens++;
      bytes += bytes_per_token[targets[i]!] ?? 0;
    }
  }
  return { tokens, bytes };
}

function emptyBatch(batch_size: number, block_size: number, row_offset: number): Batch {
  const size = batch_size * block_size;
  return {
    batch_size,
    block_size,
    row_offset,
    ids: new Int32Array(size),
    targets: new Int32Array(size),
    weights: new Float32Array(size),
    positions: Int32Array.from({ length: size }, (_, i) => i % block_size),
  };
}

/** Writes n + 1 consecutive tokens into a row: the first n as ids, the last n as targets. */
function fillRow(batch: Batch, row: number, tokens: Int32Array): void {
  batch.ids.set(tokens.subarray(0, -1), row * batch.block_size);
  batch.targets.set(tokens.subarray(1), row * batch.block_size);
}

function tooShort(tokens: number, block_size: number): DataError {
  return new DataError(
    'text_too_short',
    `The text has ${tokens} tokens, too few for a context of ${block_size}.`,
    'Choose a longer text, a shorter context or a smaller share for validation.',
  );
}
