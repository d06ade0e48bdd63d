import {
  type BatchLike,
  type ModelStores,
  type PreparedInputs,
  prepareInputs,
} from '../model/index.ts';

/** A micro-batch as the programs over these stores read it. Throws as `prepareInputs` does. */
export function prepareFor(
  { model, tensor_parallel }: ModelStores,
  batch: BatchLike,
): PreparedInputs {
  return tensor_parallel?.prepare(batch) ?? prepareInputs(model, batch);
}
