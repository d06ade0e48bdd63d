/**
 * Micro-batches from token streams. Nothing here has state: the rows of a step are a function of
 * (seed, step, global row), so that batch 8 and 4x2 draw the same rows and a resumed run needs no
 * position of a loader.
 */
import { DataError } from './errors.ts';
import { hashUnit } from './random.ts';
import type { Batch, TokenSplit } from './types.ts';

/** Keeps the draw of rows apart from other uses of the run's seed. */
const ROWS = 0x726f7773;

export interface TrainBatchOptions {
  split: TokenSplit;
  batch_size: number;
  block_size: number;
  /** Micro-batches of one step (gradient_accumulation_steps). */
  accumulation: number;
  seed: number;
  step: number;
  /** Which micro-batch of the step, from 0. */
  micro: number;
}

/**
 * Random crops of the training tokens, with replacement (as nanoGPT's get_batch): ids [batch_size,
 * block_size], targets one token on, weights all 1 / (batch_size x block_size x accumulation).
 *
 * @throws DataError text_too_short where the training text has no block_size + 1 tokens.
 */
export function trainBatch({
  split,
  batch_size,
  block_size,
  accumulation,
  seed,
  step,
  micro,
}: TrainBatchOptions): Batch {
  const starts = split.train.length - block_size;
  if (starts < 1) tooShort(split.train.length, block_size);
  const batch = emptyBatch(batch_size, block_size, micro * batch_size);
  batch.weights.fill(1 / (batch_size * block_size * accumulation));
  for (let row = 0; row < batch_size; row++) {
    const start = Math.floor(hashUnit(ROWS, seed, step, batch.row_offset + row) * starts);
    fillRow(batch, row, split.train, start, block_size);
  }
  return batch;
}

/** Says beforehand what `trainBatch` and `evalBatches` would. @throws DataError text_too_short */
export function checkTextLength(split: TokenSplit, block_size: number): void {
  if (split.train.length <= block_size) tooShort(split.train.length, block_size);
  if (split.val.length < 2) tooShort(split.val.length, 1);
}

export interface EvalBatchOptions {
  split: TokenSplit;
  batch_size: number;
  block_size: number;
  eval_iters: number;
}

/**
 * The same windows of the validation tokens every time, evenly spaced and without overlap; at most
 * eval_iters x batch_size of them. Weights are 1 / (tokens of all windows), so that the validation
 * loss is the sum over the batches; rows that the text cannot fill, and the end of a window longer
 * than the text, have weight 0.
 *
 * @throws DataError text_too_short where there are not even two validation tokens.
 */
export function evalBatches({
  split,
  batch_size,
  block_size,
  eval_iters,
}: EvalBatchOptions): Batch[] {
  const { val } = split;
  if (val.length < 2) tooShort(val.length, 1);
  const width = Math.min(block_size, val.length - 1);
  const windows = Math.min(eval_iters * batch_size, Math.floor((val.length - 1) / width));
  const last = val.length - 1 - width;
  const batches: Batch[] = [];
  for (let first = 0; first < windows; first += batch_size) {
    const batch = emptyBatch(batch_size, block_size, first);
    for (let row = 0; row < batch_size && first + row < windows; row++) {
      const start = windows === 1 ? 0 : Math.floor(((first + row) * last) / (windows - 1));
      fillRow(batch, row, val, start, width);
      batch.weights.fill(1 / (windows * width), row * block_size, row * block_size + width);
    }
    batches.push(batch);
  }
  return batches;
}

/**
 * Tokens that count, and the bytes that they stand for: bits per byte is loss x tokens / bytes / ln
 * 2.
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

function fillRow(
  batch: Batch,
  row: number,
  tokens: Int32Array,
  start: number,
  width: number,
): void {
  batch.ids.set(tokens.subarray(start, start + width), row * batch.block_size);
  batch.targets.set(tokens.subarray(start + 1, start + width + 1), row * batch.block_size);
}

function tooShort(tokens: number, block_size: number): never {
  throw new DataError(
    'text_too_short',
    `The text has ${tokens} tokens, too few for a context of ${block_size}.`,
    'Choose a longer text, a shorter context or a smaller share for validation.',
  );
}
