/** The rows of a batch that one rank of data parallelism computes. */
import type { Batch } from '../common/index.ts';

type Values = Float32Array | Int32Array;

/**
 * Part `index` of `count` equal parts of a micro-batch's rows. Weights are not rescaled, because they
 * are divided by the total of the whole step. Inputs of the objective, which have the same number of
 * values for every row, are cut in the same proportion.
 *
 * @throws RangeError if the rows cannot be divided
 */
export function rowsOfRank(batch: Batch, index: number, count: number): Batch {
  if (count === 1) return batch;
  const rows = batch.batch_size / count;
  if (!Number.isInteger(rows))
    throw new RangeError(`${batch.batch_size} rows cannot be divided by ${count} ranks.`);
  const part = ({ length }: Values): [number, number] => [
    (length / count) * index,
    (length / count) * (index + 1),
  ];
  const first = index * rows * batch.block_size;
  const extra: Record<string, Values> = {};
  for (const [name, values] of Object.entries(batch.extra ?? {})) {
    const slice = values.slice(...part(values));
    const isIndex = batch.token_indices?.includes(name) ?? false;
    extra[name] = isIndex ? slice.map((token) => token - first) : slice;
  }
  return {
    ...batch,
    batch_size: rows,
    ids: batch.ids.slice(...part(batch.ids)),
    targets: batch.targets.slice(...part(batch.targets)),
    weights: batch.weights.slice(...part(batch.weights)),
    positions: batch.positions.slice(...part(batch.positions)),
    row_offset: batch.row_offset + index * rows,
    extra,
  };
}
