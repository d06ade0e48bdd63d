/** The inputs of a program: one small Store per shape, written before each run. */
import { type Spec, Store } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { ropeTable, sortSegments } from '../ops/index.ts';
import { ropeFrequencies } from './rotary.ts';

/** What the model's programs read of a batch. */
export type BatchLike = Pick<
  Batch,
  'ids' | 'targets' | 'weights' | 'positions' | 'row_offset' | 'extra'
>;

/** What dropout depends on, in addition to the global row and the site. */
export interface RandomState {
  seed: number;
  step: number;
}

/**
 * Input tensors for batch_size x block_size tokens: ids, targets, weights, positions, the sorted
 * orders that embedding gradients need, and rng; then `extra`.
 */
export function trainingInputs(
  model: ResolvedModel,
  batch_size: number,
  block_size: number,
  extra: readonly Spec[] = [],
): Store {
  const n = batch_size * block_size;
  const perToken = ['ids', 'targets', 'positions', 'ids_sorted', 'positions_sorted'];
  return new Store('inputs', [
    ...perToken.map((name): Spec => ({ name, shape: [n], dtype: 'int32' })),
    { name: 'ids_starts', shape: [model.vocab_size + 1], dtype: 'int32' },
    { name: 'positions_starts', shape: [model.block_size + 1], dtype: 'int32' },
    { name: 'weights', shape: [n] },
    { name: 'rng', shape: [4], dtype: 'int32' },
    ...extra,
  ]);
}

/** A micro-batch with the sorted orders that its upload needs. */
export interface PreparedInputs {
  batch: BatchLike;
  ids: ReturnType<typeof sortSegments>;
  positions: ReturnType<typeof sortSegments>;
}

/**
 * Sorts a micro-batch for upload. Needs no device, so it runs while the device works on the step
 * before.
 *
 * @throws RangeError if an id is outside the vocabulary, which nothing on the GPU would notice.
 */
export function prepareInputs(model: ResolvedModel, batch: BatchLike): PreparedInputs {
  const ids = sortSegments(batch.ids, model.vocab_size);
  const positions = sortSegments(batch.positions, model.block_size);
  for (const target of batch.targets) {
    if (!(target >= 0 && target < model.vocab_size)) {
      throw new RangeError(`Target id ${target} is outside the vocabulary of ${model.vocab_size}.`);
    }
  }
  return { batch, ids, positions };
}

/** Uploads a prepared micro-batch. */
export function writeInputs(inputs: Store, prepared: PreparedInputs, random: RandomState): void {
  const { batch, ids, positions } = prepared;
  inputs.write('ids', batch.ids);
  inputs.write('targets', batch.targets);
  inputs.write('positions', batch.positions);
  inputs.write('weights', batch.weights);
  inputs.write('ids_sorted', ids.sorted);
  inputs.write('ids_starts', ids.starts);
  inputs.write('positions_sorted', positions.sorted);
  inputs.write('positions_starts', positions.starts);
  inputs.write('rng', Int32Array.of(random.seed, random.step, batch.row_offset, 0));
  for (const [name, values] of Object.entries(batch.extra ?? {})) inputs.write(name, values);
}

/** Prepares and uploads a micro-batch. Throws as `prepareInputs` does. */
export function writeBatch(
  inputs: Store,
  model: ResolvedModel,
  batch: BatchLike,
  random: RandomState,
): void {
  writeInputs(inputs, prepareInputs(model, batch), random);
}

/** Cosines and sines of the rotary embedding, or null for a layout without it. */
export function rotaryTable(model: ResolvedModel): Store | null {
  if (model.layout !== 'llama') return null;
  const { block_size, head_dim } = model;
  const store = new Store('rotary table', [{ name: 'table', shape: [block_size, head_dim] }]);
  store.write('table', ropeTable(block_size, ropeFrequencies(model)));
  return store;
}
