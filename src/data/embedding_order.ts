/**
 * The order in which the gradient of an embedding is summed, so that a run repeats itself without
 * float atomics.
 */
import { checkIds } from './token_split.ts';

export interface EmbeddingOrder {
  /** Rows (indices into ids), sorted by id; rows of one id keep their order. [ids.length] */
  sorted: Int32Array;
  /** Rows of id v are sorted[starts[v]] to sorted[starts[v + 1] - 1]. [vocab_size + 1] */
  starts: Int32Array;
}

/** Stable counting sort of the rows by token id. @throws DataError token_out_of_range */
export function embeddingOrder(ids: Int32Array, vocab_size: number): EmbeddingOrder {
  checkIds(ids, vocab_size);
  const starts = new Int32Array(vocab_size + 1);
  for (let row = 0; row < ids.length; row++) starts[ids[row]! + 1]! += 1;
  for (let id = 0; id < vocab_size; id++) starts[id + 1]! += starts[id]!;
  const next = starts.slice();
  const sorted = new Int32Array(ids.length);
  for (let row = 0; row < ids.length; row++) sorted[next[ids[row]!]!++] = row;
  return { sorted, starts };
}
