/**
 * Batches of a stage: rows of encoded examples, padded on the right. Stateless: the rows of a step
 * are a function of (seed, step), so that a resumed run sees the same ones. Weights are divided by
 * the number of tokens that count in the whole step, over all of its micro-batches (TRL's
 * `num_items_in_batch`).
 */
import type { Batch } from '../../common/index.ts';
import { epochSeed, seededRandom } from '../random.ts';
import { documentStarts, type PackedExample } from './packing.ts';
import type { EncodedExample, EncodedPair } from './types.ts';

/** Rows of a micro-batch, which examples shorter than a row fill up with `pad_token_id`. */
export interface RowShape {
  batch_size: number;
  block_size: number;
  pad_token_id: number;
}

export interface StepOptions<T> extends RowShape {
  examples: readonly T[];
  /** Micro-batches of a step. */
  accumulation: number;
  seed: number;
  step: number;
}

/** All micro-batches of a step, one example a row. */
export function exampleBatches(options: StepOptions<EncodedExample>): Batch[] {
  const { batch_size, accumulation } = options;
  const rows = drawn(options, batch_size * accumulation);
  return normalized(inGroups(rows, batch_size, options));
}

/** All micro-batches of an evaluation; rows that are left over are padding of weight 0. */
export function evaluationBatches(
  options: RowShape & { examples: readonly EncodedExample[] },
): Batch[] {
  return normalized(inGroups(options.examples, options.batch_size, options));
}

/**
 * Batches of packed rows: positions start again with each example, and `extra` has
 * `document_starts` [batch_size x block_size].
 */
export function packedBatches(options: StepOptions<PackedExample>): Batch[] {
  const { batch_size, accumulation } = options;
  const rows = drawn(options, batch_size * accumulation);
  return asDocuments(normalized(inGroups(rows, batch_size, options)), rows);
}

/** All micro-batches of an evaluation of packed rows. */
export function packedEvaluationBatches(
  options: RowShape & { examples: readonly PackedExample[] },
): Batch[] {
  const { examples, batch_size } = options;
  return asDocuments(normalized(inGroups(examples, batch_size, options)), examples);
}

/** The same batches, in which the examples of a row are documents. */
function asDocuments(batches: readonly Batch[], rows: readonly PackedExample[]): Batch[] {
  return batches.map((batch) => {
    const { batch_size, block_size, row_offset } = batch;
    const document_starts = new Int32Array(batch_size * block_size);
    for (let row = 0; row < batch_size; row++) {
      const documents = rows[row_offset + row]?.documents ?? [];
      document_starts.set(documentStarts(documents, block_size), row * block_size);
    }
    const positions = document_starts.map((start, i) => (i % block_size) - start);
    return { ...batch, positions, extra: { document_starts } };
  });
}

/**
 * All micro-batches of a step of pairs: `batch_size` rows hold half as many pairs, chosen at 2p and
 * rejected at 2p + 1. `weights` mark the tokens of the answers with 1.
 */
export function pairBatches(options: StepOptions<EncodedPair>): PairBatch[] {
  const { batch_size, accumulation } = options;
  return groupsOfPairs(drawn(options, (batch_size / 2) * accumulation), options);
}

/** The same for all pairs, once, in their order. */
export function pairEvaluationBatches(
  options: RowShape & { examples: readonly EncodedPair[] },
): PairBatch[] {
  return groupsOfPairs(options.examples, options);
}

/** A micro-batch of pairs, and the pairs in it: fewer than it has rows for at an end. */
export interface PairBatch {
  batch: Batch;
  pairs: readonly EncodedPair[];
}

function groupsOfPairs(pairs: readonly EncodedPair[], shape: RowShape): PairBatch[] {
  const perBatch = shape.batch_size / 2;
  const groups: PairBatch[] = [];
  for (let first = 0; first < pairs.length; first += perBatch) {
    const group = pairs.slice(first, first + perBatch);
    const rows = group.flatMap(({ chosen, rejected }) => [chosen, rejected]);
    groups.push({ batch: rowsBatch(rows, shape, 2 * first), pairs: group });
  }
  return groups;
}

/** `count` examples of a step: each epoch is a permutation of all of them, drawn from the seed. */
export function drawn<T>(
  { examples, seed, step }: Pick<StepOptions<T>, 'examples' | 'seed' | 'step'>,
  count: number,
): T[] {
  const rows: T[] = [];
  const first = step * count;
  let epoch = -1;
  let order: readonly number[] = [];
  for (let index = first; index < first + count; index++) {
    const current = Math.floor(index / examples.length);
    if (current !== epoch) {
      epoch = current;
      order = orderOf(examples.length, seed, epoch);
    }
    const example = examples[order[index % examples.length] ?? 0];
    if (example !== undefined) rows.push(example);
  }
  return rows;
}

/** The latest order: steps of one epoch ask for it again and again. */
let latest: { key: string; order: readonly number[] } = { key: '', order: [] };

function orderOf(length: number, seed: number, epoch: number): readonly number[] {
  const key = `${length} ${seed} ${epoch}`;
  if (latest.key !== key) {
    const indices = Array.from({ length }, (_, i) => i);
    latest = { key, order: seededRandom(epochSeed(seed, epoch)).shuffle(indices) };
  }
  return latest.order;
}

function inGroups(
  examples: readonly EncodedExample[],
  batch_size: number,
  shape: RowShape,
): Batch[] {
  const batches: Batch[] = [];
  for (let first = 0; first < examples.length; first += batch_size) {
    batches.push(rowsBatch(examples.slice(first, first + batch_size), shape, first));
  }
  return batches;
}

/** One row per example; weights are 1 where the target counts. */
export function rowsBatch(
  examples: readonly EncodedExample[],
  { batch_size, block_size, pad_token_id }: RowShape,
  row_offset: number,
): Batch {
  const size = batch_size * block_size;
  const ids = new Int32Array(size).fill(pad_token_id);
  const targets = new Int32Array(size).fill(pad_token_id);
  const weights = new Float32Array(size);
  const positions = Int32Array.from({ length: size }, (_, i) => i % block_size);
  let tokens = 0;
  examples.forEach((example, row) => {
    const { ids: all, mask } = example;
    const length = Math.min(all.length, block_size);
    const start = row * block_size;
    ids.set(all.subarray(0, length), start);
    targets.set(all.subarray(1, length + 1), start);
    for (let i = 0; i < Math.min(length, all.length - 1); i++)
      weights[start + i] = mask[i + 1] ?? 0;
    tokens += length;
  });
  return { batch_size, block_size, row_offset, ids, targets, weights, positions, tokens };
}

/** Divides the weights by their sum over all batches; a step without any keeps weights of 0. */
function normalized(batches: Batch[]): Batch[] {
  let total = 0;
  for (const { weights } of batches) for (const weight of weights) total += weight;
  if (total === 0) return batches;
  for (const { weights } of batches) weights.forEach((weight, i) => (weights[i] = weight / total));
  return batches;
}
