/** The part of the vocabulary that a rank of tensor parallelism holds. */
import type { BatchLike, PreparedInputs } from '../model/index.ts';
import { sortSegments } from '../ops/index.ts';
import { sortLocalSegments } from '../ops/parallel.ts';
import type { Payload } from './transport/link.ts';
import { type TensorPart, vocabularyOf } from './tensor_model.ts';

/** Values of a row state of `cross_entropy_chunk`: largest logit, sum, its token, target's logit. */
const ROW_STATE = 4;

/**
 * Targets count from the first token here and wrap around at the end of the vocabulary: those here
 * are 0, 1, ... and those of other ranks are larger.
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

  /** See TensorParallel. */
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
   * Merges row states [N, 4] of all ranks, in the order of the vocabulary (online softmax, Milakov and
   * Gimelshein 2018). Tokens are relative to the first one of each rank; those of the result, to the
   * first one here. A target's logit is 0 on the ranks that do not have it.
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
