/** The inputs of a program: one small Store a shape, written before each run. */
import { Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { ropeTable, sortSegments } from '../ops/index.ts';

/** One micro-batch, as data/ makes it (the room is not imported: model needs its shape alone). */
export interface BatchLike {
  ids: Int32Array;
  targets: Int32Array;
  weights: Float32Array;
  positions: Int32Array;
  row_offset: number;
}

/**
 * Input tensors for batch_size x block_size tokens: ids, targets, weights, positions, their sorted
 * orders, rng.
 */
export function trainingInputs(
  model: ResolvedModel,
  batch_size: number,
  block_size: number,
): Store {
  const n = batch_size * block_size;
  return new Store('inputs', [
    ...(['ids', 'targets', 'positions', 'ids_sorted', 'positions_sorted'] as const).map((name) => ({
      name,
      shape: [n],
      dtype: 'int32' as const,
    })),
    { name: 'ids_starts', shape: [model.vocab_size + 1], dtype: 'int32' },
    { name: 'positions_starts', shape: [model.block_size + 1], dtype: 'int32' },
    { name: 'weights', shape: [n] },
    { name: 'rng', shape: [4], dtype: 'int32' },
  ]);
}

/**
 * Uploads a micro-batch. Throws a RangeError if an id is outside the vocabulary: nothing on the GPU
 * would notice.
 */
export const writeBatch = (
  inputs: Store,
  model: ResolvedModel,
  batch: BatchLike,
  seed: number,
  step: number,
): void => writeInputs(inputs, prepareInputs(model, batch), seed, step);

/** A micro-batch with the sorted orders that its upload needs. */
export interface PreparedInputs {
  batch: BatchLike;
  ids: ReturnType<typeof sortSegments>;
  positions: ReturnType<typeof sortSegments>;
}

/**
 * The part of `writeBatch` that takes time and no device: made beforehand, while the device works.
 * Throws as it does.
 */
export function prepareInputs(model: ResolvedModel, batch: BatchLike): PreparedInputs {
  const ids = sortSegments(batch.ids, model.vocab_size);
  const positions = sortSegments(batch.positions, model.block_size);
  for (const t of batch.targets)
    if (!(t >= 0 && t < model.vocab_size))
      throw new RangeError(`Target id ${t} is outside the vocabulary of ${model.vocab_size}.`);
  return { batch, ids, positions };
}

/** The part of `writeBatch` that uploads. */
export function writeInputs(
  inputs: Store,
  { batch, ids, positions }: PreparedInputs,
  seed: number,
  step: number,
): void {
  inputs.write('ids', batch.ids);
  inputs.write('targets', batch.targets);
  inputs.write('positions', batch.positions);
  inputs.write('weights', batch.weights);
  inputs.write('ids_sorted', ids.sorted);
  inputs.write('ids_starts', ids.starts);
  inputs.write('positions_sorted', positions.sorted);
  inputs.write('positions_starts', positions.starts);
  inputs.write('rng', Int32Array.of(seed, step, batch.row_offset, 0));
}

/** Cosines and sines of the rotary embedding, where the layout has one. */
export function rotaryTable(model: ResolvedModel): Store | null {
  if (model.layout !== 'llama') return null;
  const store = new Store('rotary table', [
    { name: 'table', shape: [model.block_size, model.head_dim] },
  ]);
  store.write('table', ropeTable(model.block_size, model.head_dim, model.rope_theta));
  return store;
}
