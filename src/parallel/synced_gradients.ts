/**
 * Gradients under data parallelism and ZeRO-1 that are reduced after each micro-batch, as PyTorch's
 * DistributedDataParallel does without `no_sync`, and accelerate with `sync_each_batch`. The sums are
 * then taken over ranks first and over micro-batches second, as under ZeRO-2 and 3.
 */
import type { Store } from '../backend/index.ts';
import { Gradients } from '../model/index.ts';
import type { GradientReducer } from './data.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';

interface SyncOptions {
  reducer: GradientReducer;
  /** Whether every rank gets all sums, or only those that it owns (ZeRO-1). */
  gathers: boolean;
}

export class SyncedGradients extends Gradients implements Reduction {
  readonly #options: SyncOptions;
  /** Gradients that this rank owns, summed over the micro-batches so far, by parameter. */
  #sums = new Map<string, Float32Array>();

  constructor(store: Store, weights: Store, how: SyncOptions) {
    super(store, weights);
    this.#options = how;
  }

  /** Adds the reduced gradients of a micro-batch to the sums, and zeroes the buffers for the next one. */
  async finishMicroBatch(): Promise<void> {
    const { owned } = await this.#options.reducer.reduce(this.store.names, false);
    for (const [name, values] of owned) addToSum(this.#sums, name, values);
    for (const { name, shape } of this.store.specs) {
      this.store.write(name, new Float32Array(shape.reduce((product, n) => product * n, 1)));
    }
  }

  async finish(norms: SquaredNorms): Promise<void> {
    const { reducer, gathers } = this.#options;
    const sums = this.#sums;
    this.#sums = new Map();
    for (const [name, values] of sums) reducer.addSquares(name, values, norms);
    if (gathers) await reducer.allGather(this.store.names, sums);
    else reducer.write([{ owned: sums, parts: [sums] }], false);
  }
}

/** Adds values to the sum of this name in place; the first values become the sum. */
export function addToSum(
  sums: Map<string, Float32Array>,
  name: string,
  values: Float32Array,
): void {
  const sum = sums.get(name);
  if (!sum) {
    sums.set(name, values);
    return;
  }
  values.forEach((value, i) => (sum[i] = (sum[i] ?? 0) + value));
}
