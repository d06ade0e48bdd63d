/**
 * Gradients under data parallelism and ZeRO-1: whole buffers, which are reduced bucket by bucket
 * while the backward pass of the last micro-batch goes on (Li et al. 2020, section 3.2.3).
 */
import { boundary, type Store } from '../backend/index.ts';
import { Gradients, type Parameter, parameterSize } from '../model/index.ts';
import type { Bucket, GradientReducer, ReducedGradients } from './data.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';

/** Bytes from which on a bucket is sent; PyTorch's `bucket_cap_mb` is 25. */
export const BUCKET_BYTES = 2 ** 20;

interface ReduceHow {
  reducer: GradientReducer;
  /** Whether every rank gets all sums, or each those of what it owns (ZeRO-1). */
  gathers: boolean;
  bucket_bytes?: number;
}

export class OverlappedGradients extends Gradients implements Reduction {
  /** Read when a program runs, so that all micro-batches are one program. */
  require_backward_grad_sync = false;
  readonly #how: ReduceHow;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  /** Parameters whose gradients are complete and not in a bucket yet, in the order of completion. */
  #complete: string[] = [];
  /** Parameters in the buckets of the program that is traced. */
  readonly #closed = new Set<string>();
  /** Buckets of this step. */
  #started: { bucket: Bucket; reduced: Promise<ReducedGradients> }[] = [];

  constructor(store: Store, weights: Store, how: ReduceHow) {
    super(store, weights);
    this.#how = how;
    this.#parameters = new Map(
      how.reducer.trainable.map((parameter) => [parameter.name, parameter]),
    );
  }

  override refresh(): void {
    this.#complete = [];
    this.#closed.clear();
    super.refresh();
  }

  /** Closes a bucket at the place of the program where enough gradients are complete. */
  added(name: string): void {
    // One rank has nothing to overlap with, and the copies would make the last pass longer.
    if (this.#how.reducer.ranks === 1) return;
    const parameter = this.#parameters.get(name);
    // A tied embedding gets a gradient from the head first, and another one at the very end.
    if (!parameter || parameter.kind === 'embedding') return;
    if (this.#closed.has(name))
      throw new Error(`The gradient of ${name} was added to after its bucket was closed.`);
    if (!this.#complete.includes(name)) this.#complete.push(name);
    const bytes = this.#complete.reduce((sum, one) => sum + this.#bytesOf(one), 0);
    if (bytes < (this.#how.bucket_bytes ?? BUCKET_BYTES)) return;
    const bucket = this.#complete;
    this.#complete = [];
    for (const one of bucket) this.#closed.add(one);
    const [first = name] = bucket;
    const run = (): void => {
      if (this.require_backward_grad_sync) this.#start(bucket);
    };
    boundary(this.store.get(first), { name: 'reduce', run, immediate: true });
  }

  async finish(norms: SquaredNorms): Promise<void> {
    const { reducer, gathers } = this.#how;
    const sent = new Set(this.#started.flatMap(({ bucket }) => bucket));
    const rest = this.store.names.filter((name) => !sent.has(name));
    if (rest.length > 0) this.#start(rest);
    const buckets = await Promise.all(this.#started.map(({ reduced }) => reduced));
    this.#started = [];
    reducer.keep(buckets, gathers);
    for (const { owned } of buckets) {
      for (const [name, values] of owned) reducer.count(name, values, norms);
    }
  }

  #start(bucket: Bucket): void {
    const reduced = this.#how.reducer.reduce(bucket, this.#how.gathers);
    // Whoever awaits it in `finish` sees the error.
    reduced.catch(() => undefined);
    this.#started.push({ bucket, reduced });
  }

  #bytesOf(name: string): number {
    const parameter = this.#parameters.get(name);
    return parameter ? 4 * parameterSize(parameter) : 0;
  }
}
