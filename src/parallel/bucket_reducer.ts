/**
 * Who adds up buckets of gradients: this thread, or a thread beside it (`reducer_thread.ts`), as
 * PyTorch's ProcessGroupGloo has threads of its own for its collectives. On the processor a rank's
 * thread does nothing else while it computes, so without such a thread messages wait until the pass
 * is over.
 */
import type { ReducedBucket, ReduceRequest } from '../common/index.ts';
import type { Group } from './collectives.ts';
import type { Payload } from './transport/link.ts';

export interface BucketReducer {
  reduce(request: ReduceRequest): Promise<ReducedBucket>;
}

/** Adds up on this thread. */
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
