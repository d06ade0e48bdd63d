/**
 * Gradients under data parallelism and ZeRO-1: whole buffers, which are reduced bucket by bucket
 * while the backward pass of the last micro-batch goes on (Li et al. 2020, section 3.2.3).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { boundary, type Store } from '../backend/index.ts';
import { Gradients, type ModelGradients, type Parameter, parameterSize } from '../model/index.ts';
import type { Bucket, GradientReducer } from './data.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';

/** Bytes from which on a bucket is sent; PyTorch's `bucket_cap_mb` is 25. */
export const BUCKET_BYTES = 2 ** 20;

interface ReduceHow {
  reducer: GradientReducer;
  /** Puts the sums of what this rank owns where the update reads them. */
  settle: (bucket: Bucket, owned: Map<string, Float32Array>) => Promise<void> | void;
}

export class OverlappedGradients implements ModelGradients, Reduction {
  /** Whether the program that is traced is the last micro-batch of a step, and so reduces. */
  reducing = false;
  readonly #how: ReduceHow;
  readonly #gradients: Gradients;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  /** Parameters whose gradients are complete and not in a bucket yet, in the order of completion. */
  #complete: string[] = [];
  /** Buckets that are under way. */
  #started: { bucket: Bucket; owned: Promise<Map<string, Float32Array>> }[] = [];

  constructor(
    readonly store: Store,
    weights: Store,
    how: ReduceHow,
  ) {
    this.#how = how;
    this.#gradients = new Gradients(store, weights);
    this.#parameters = new Map(
      how.reducer.trainable.map((parameter) => [parameter.name, parameter]),
    );
  }

  refresh(): void {
    this.#complete = [];
    this.#gradients.refresh();
  }
  parameterOf(tensor: Tensor): string | undefined {
    return this.#gradients.parameterOf(tensor);
  }
  buffer(name: string): Tensor | undefined {
    return this.#gradients.buffer(name);
  }
  add(name: string, gradient: Tensor): void {
    this.#gradients.add(name, gradient);
  }

  /** Closes a bucket at the place of the program where enough gradients are complete. */
  added(name: string): void {
    const parameter = this.#parameters.get(name);
    // A tied embedding gets a gradient from the head first, and another one at the very end.
    if (!this.reducing || !parameter || parameter.kind === 'embedding') return;
    this.#complete.push(name);
    const bytes = this.#complete.reduce((sum, one) => sum + this.#bytesOf(one), 0);
    if (bytes < BUCKET_BYTES) return;
    const bucket = this.#complete;
    this.#complete = [];
    const [first = name] = bucket;
    boundary(this.store.get(first), { name: 'reduce', run: () => this.#start(bucket) });
  }

  async finish(norms: SquaredNorms): Promise<void> {
    const { reducer, settle } = this.#how;
    const sent = new Set(this.#started.flatMap(({ bucket }) => bucket));
    const rest = this.store.names.filter((name) => !sent.has(name));
    if (rest.length > 0) this.#start(rest);
    for (const { bucket, owned } of this.#started) {
      const sums = await owned;
      for (const [name, values] of sums) reducer.count(name, values, norms);
      await settle(bucket, sums);
    }
    this.#started = [];
  }

  #start(bucket: Bucket): void {
    const owned = this.#how.reducer.reduce(bucket);
    // Whoever awaits `owned` in `finish` sees the error.
    owned.catch(() => undefined);
    this.#started.push({ bucket, owned });
  }

  #bytesOf(name: string): number {
    const parameter = this.#parameters.get(name);
    return parameter ? 4 * parameterSize(parameter) : 0;
  }
}
