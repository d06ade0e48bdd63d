/**
 * Gradients under data parallelism and ZeRO-1. Every rank has buffers for all of its parameters, and
 * they are reduced bucket by bucket during the backward pass of the last micro-batch (Li et al. 2020,
 * section 3.2.3).
 */
import { boundary, type Store } from '../backend/index.ts';
import { Gradients, type Parameter, parameterSize } from '../model/index.ts';
import type { Bucket, GradientReducer, ReducedGradients } from './data.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';

/** A bucket is reduced once it has this many bytes; PyTorch's `bucket_cap_mb` is 25. */
export const BUCKET_BYTES = 2 ** 20;

interface OverlapOptions {
  reducer: GradientReducer;
  /** Whether every rank gets all sums, or only those that it owns (ZeRO-1). */
  gathers: boolean;
  /** Default: `BUCKET_BYTES`. */
  bucket_bytes?: number;
}

export class OverlappedGradients extends Gradients implements Reduction {
  /** Read while the program runs, so that one program serves all micro-batches. */
  require_backward_grad_sync = false;
  readonly #options: OverlapOptions;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  /** Parameters whose gradients are complete but in no bucket yet, in the order of completion. */
  #complete: string[] = [];
  /** Parameters in the buckets of the program that is being traced. */
  readonly #closed = new Set<string>();
  /** Buckets of this step whose reduction has started. */
  #inFlight: { bucket: Bucket; reduced: Promise<ReducedGradients> }[] = [];

  constructor(store: Store, weights: Store, options: OverlapOptions) {
    super(store, weights);
    this.#options = options;
    this.#parameters = new Map(
      options.reducer.trainable.map((parameter) => [parameter.name, parameter]),
    );
  }

  override refresh(): void {
    this.#complete = [];
    this.#closed.clear();
    super.refresh();
  }

  /** Called while a program is traced: closes a bucket where enough gradients are complete. */
  added(name: string): void {
    // One rank has nothing to reduce, and copies of its gradients would only cost time.
    if (this.#options.reducer.ranks === 1) return;
    const parameter = this.#parameters.get(name);
    // A tied embedding gets one gradient from the head first, and another one at the very end.
    if (!parameter || parameter.kind === 'embedding') return;
    if (this.#closed.has(name))
      throw new Error(`The gradient of ${name} was added to after its bucket was closed.`);
    if (!this.#complete.includes(name)) this.#complete.push(name);
    const bytes = this.#complete.reduce((sum, complete) => sum + this.#bytesOf(complete), 0);
    if (bytes < (this.#options.bucket_bytes ?? BUCKET_BYTES)) return;
    const bucket = this.#complete;
    this.#complete = [];
    for (const closed of bucket) this.#closed.add(closed);
    const [first = name] = bucket;
    const run = (): void => {
      if (this.require_backward_grad_sync) this.#start(bucket);
    };
    boundary(this.store.get(first), { name: 'reduce', run, immediate: true });
  }

  async finish(norms: SquaredNorms): Promise<void> {
    const { reducer, gathers } = this.#options;
    if (reducer.ranks === 1) return reducer.addSquaresInPlace(this.store.names, norms);
    const started = new Set(this.#inFlight.flatMap(({ bucket }) => bucket));
    const remaining = this.store.names.filter((name) => !started.has(name));
    if (remaining.length > 0) this.#start(remaining);
    const buckets = await Promise.all(this.#inFlight.map(({ reduced }) => reduced));
    this.#inFlight = [];
    reducer.write(buckets, gathers);
    for (const { owned } of buckets) {
      for (const [name, values] of owned) reducer.addSquares(name, values, norms);
    }
  }

  #start(bucket: Bucket): void {
    const reduced = this.#options.reducer.reduce(bucket, this.#options.gathers);
    // Prevents an unhandled rejection; `finish` still sees the error.
    reduced.catch(() => undefined);
    this.#inFlight.push({ bucket, reduced });
  }

  #bytesOf(name: string): number {
    const parameter = this.#parameters.get(name);
    return parameter ? 4 * parameterSize(parameter) : 0;
  }
}
