/**
 * Gradients under data parallelism and ZeRO-1 that are reduced after each micro-batch, in the order of
 * ZeRO-2 and 3: the sum over micro-batches of the sums over ranks. PyTorch's DistributedDataParallel
 * does so without `no_sync`, accelerate with `sync_each_batch`.
 */
import type { Store } from '../backend/index.ts';
import { Gradients } from '../model/index.ts';
import type { GradientReducer } from './data.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';

interface SyncHow {
  reducer: GradientReducer;
  /** Whether every rank gets all sums, or each those of what it owns (ZeRO-1). */
  gathers: boolean;
}

export class SyncedGradients extends Gradients implements Reduction {
  readonly #how: SyncHow;
  /** What this rank owns, added up over the micro-batches. */
  #sums = new Map<string, Float32Array>();

  constructor(store: Store, weights: Store, how: SyncHow) {
    super(store, weights);
    this.#how = how;
  }

  /** Adds the reduced gradients of a micro-batch to the sums, and zeroes the buffers for the next one. */
  async finishMicroBatch(): Promise<void> {
    const { owned } = await this.#how.reducer.reduce(this.store.names, false);
    for (const [name, values] of owned) addTo(this.#sums, name, values);
    for (const { name, shape } of this.store.specs) {
      this.store.write(name, new Float32Array(shape.reduce((product, n) => product * n, 1)));
    }
  }

  async finish(norms: SquaredNorms): Promise<void> {
    const { reducer, gathers } = this.#how;
    const sums = this.#sums;
    this.#sums = new Map();
    for (const [name, values] of sums) reducer.count(name, values, norms);
    if (gathers) await reducer.spread(this.store.names, sums);
    else reducer.keep([{ owned: sums, parts: [sums] }], false);
  }
}

/** Adds values to what has been added up so far under this name. */
export function addTo(sums: Map<string, Float32Array>, name: string, values: Float32Array): void {
  const before = sums.get(name);
  if (!before) {
    sums.set(name, values);
    return;
  }
  values.forEach((value, i) => (before[i] = (before[i] ?? 0) + value));
}
