/** The vocabulary under tensor parallelism: each rank holds the rows of some of its tokens. */
import type { BatchLike, PreparedInputs } from '../model/index.ts';
import { sortSegments } from '../ops/index.ts';
import { sortLocalSegments } from '../ops/parallel.ts';
import type { Payload } from './transport/link.ts';
import { type TensorPart, vocabularyOf } from './tensor_model.ts';

/**
 * Values of a row state of `cross_entropy_chunk`: the largest logit, the sum of exponentials relative to
 * it, the token of the largest logit (an int32), and the logit of the target.
 */
const ROW_STATE = 4;

/**
 * Translates token ids to those of one rank. They count from the rank's first token and wrap around at
 * the end of the vocabulary, so the rank's own tokens are 0, 1, ... and all others are larger.
 */
export class LocalVocabulary {
  readonly #part: TensorPart;
  readonly #first: number;
  readonly #size: number;

  constructor(part: TensorPart) {
    const { start, end } = vocabularyOf(part);
    this.#part = part;
    this.#first = start;
    this.#size = end - start;
  }

  /** See `TensorParallel.prepare`. @throws RangeError for an id outside the vocabulary */
  prepare(batch: BatchLike): PreparedInputs {
    const targets = batch.targets.map((id) => this.#localOf(id));
    const ids = batch.ids.map((id) => {
      const local = this.#localOf(id);
      return local < this.#size ? local : -1;
    });
    return {
      batch: { ...batch, ids, targets },
      ids: sortLocalSegments(ids, this.#size),
      positions: sortSegments(batch.positions, this.#part.model.block_size),
    };
  }

  /**
   * Merges the row states [rows, 4] of all ranks, in the order of the vocabulary (online softmax, Milakov
   * and Gimelshein 2018). Tokens count from the first one of their rank, and in the result from the first
   * one of this rank. The logit of a target is 0 on the ranks that do not hold the target.
   */
  mergeRows(parts: readonly Payload[]): Float32Array<ArrayBuffer> {
    const states = parts.map((part) => new Float32Array(part.buffer, part.byteOffset, part.length));
    const tokens = parts.map((part) => new Int32Array(part.buffer, part.byteOffset, part.length));
    const merged = new Float32Array(states[0]?.length ?? 0);
    const mergedTokens = new Int32Array(merged.buffer);
    for (let at = 0; at < merged.length; at += ROW_STATE) {
      const best = this.#bestRank(states, at);
      const largest = states[best]?.[at] ?? NaN;
      let sum = 0;
      let target = 0;
      for (const state of states) {
        sum += (state[at + 1] ?? NaN) * Math.exp((state[at] ?? NaN) - largest);
        target += state[at + 3] ?? NaN;
      }
      merged[at] = largest;
      merged[at + 1] = sum;
      mergedTokens[at + 2] = this.#wrapped(this.#firstOf(best) + (tokens[best]?.[at + 2] ?? 0));
      merged[at + 3] = target;
    }
    return merged;
  }

  /** The first rank with the largest logit of a row. */
  #bestRank(states: readonly Float32Array[], at: number): number {
    let best = 0;
    states.forEach((state, rank) => {
      if ((state[at] ?? NaN) > (states[best]?.[at] ?? NaN)) best = rank;
    });
    return best;
  }

  #firstOf(index: number): number {
    return vocabularyOf({ ...this.#part, index }).start;
  }

  #localOf(id: number): number {
    const { vocab_size } = this.#part.model;
    if (!(id >= 0 && id < vocab_size))
      throw new RangeError(`Token id ${id} is outside the vocabulary of ${vocab_size}.`);
    return this.#wrapped(id);
  }

  #wrapped(id: number): number {
    const { vocab_size } = this.#part.model;
    return (id - this.#first + vocab_size) % vocab_size;
  }
}
