/**
 * Reduces buckets of gradients over the ranks of a group, either on this thread (`GroupReducer`) or on
 * a thread of its own (`reducer_thread.ts`), as PyTorch's ProcessGroupGloo does. On the processor a
 * rank's thread handles no messages while it computes, so only a second thread can reduce a bucket
 * during the backward pass.
 */
import type { ReducedBucket, ReduceRequest } from '../common/index.ts';
import type { Group } from './collectives.ts';
import type { Payload } from './transport/link.ts';

export interface BucketReducer {
  /**
   * The sum over the ranks of this rank's slice, or of all slices if the request `gathers`.
   *
   * @throws RankLost if another rank is gone or does not answer
   */
  reduce(request: ReduceRequest): Promise<ReducedBucket>;
}

/** Reduces on this thread. */
export class GroupReducer implements BucketReducer {
  readonly #group: Group;

  constructor(group: Group) {
    this.#group = group;
  }

  async reduce({ slices, tag, gathers }: ReduceRequest): Promise<ReducedBucket> {
    const sum = await this.#group.reduceScatter(slices, tag);
    if (!gathers) return { parts: [sum] };
    const parts = await this.#group.allGather(sum, tag);
    return { parts: parts.map(floats) };
  }
}

function floats(values: Payload): Float32Array<ArrayBuffer> {
  if (values instanceof Float32Array) return values;
  throw new TypeError('Gradients are float32.');
}
