/**
 * Data parallelism: every rank computes the gradients of its own rows, which are then added up
 * (Li et al. 2020, PyTorch Distributed). What a rank keeps is a matter of ZeRO's stage
 * (Rajbhandari et al. 2020): 0, every rank updates all parameters; 1, each updates those that it owns
 * (`shards.ts`), has moments of those alone, and sends their new values to the others.
 *
 * Stages 2 and 3 reduce gradients inside the backward pass instead (`zero.ts`).
 */
import {
  readback,
  readbackNow,
  Store,
  type TensorStore,
  type Values,
  writeTensor,
} from '../backend/index.ts';
import type { Parameter } from '../model/index.ts';
import type { BucketReducer } from './bucket_reducer.ts';
import type { Group } from './collectives.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { SquaredNorms } from './norm.ts';
import type { ShardRange, Shards } from './shards.ts';
import { now } from './transport/link.ts';

/** Gradients that are reduced together: names of trainable parameters. */
export type Bucket = readonly string[];

export interface ReducedParts {
  group: Group;
  /** Trainable parameters of this rank, in the order of their stores. */
  parameters: readonly LocalParameter[];
  shards: Shards;
  /** Gradients of this rank's rows [whole parameters]. */
  gradients: Store;
  /** The ranks of tensor parallelism. */
  tp: Group;
  /** Adds up among the ranks of `group`. */
  reducer: BucketReducer;
}

/** Sums over all ranks. */
export interface ReducedGradients {
  /** What this rank owns, by name. */
  owned: ReadonlyMap<string, Float32Array>;
  /** What each rank owns, in order, if all sums were asked for; else only what this one owns. */
  parts: readonly ReadonlyMap<string, Float32Array>[];
}

/** Adds up the gradients of all ranks, bucket by bucket. */
export class GradientReducer {
  readonly #parts: ReducedParts;
  readonly #byName: ReadonlyMap<string, LocalParameter>;

  /** The parameters whose gradients are reduced, as they are here. */
  get trainable(): Parameter[] {
    return this.#parts.parameters.map(({ parameter }) => parameter);
  }

  /** Number of ranks whose gradients are added up. */
  get ranks(): number {
    return this.#parts.group.size;
  }

  constructor(parts: ReducedParts) {
    this.#parts = parts;
    this.#byName = new Map(parts.parameters.map((one) => [one.parameter.name, one]));
  }

  /**
   * Adds up the gradients of a bucket over all ranks: with `gathers` on every rank, else what each
   * owns. The gradients are copied before this function waits, for the device and then for the
   * other ranks. On the processor they are also sent before it waits.
   */
  async reduce(bucket: Bucket, gathers: boolean): Promise<ReducedGradients> {
    const { group, shards, reducer } = this.#parts;
    const values = this.#readNow(bucket) ?? (await this.#read(bucket));
    const slices = group.ranks.map((_, rank) =>
      joined(bucket.map((name, i) => cut(values[i], shards.get(name)?.[rank]))),
    );
    // `ui/lab/schedule_measures.ts` knows the spans by this name.
    const { parts, report } = await reducer.reduce({
      slices,
      tag: `bucket of ${tagOf(bucket)}`,
      gathers,
    });
    if (report) group.recorder.add(report);
    const own = group.index;
    const first = gathers ? 0 : own;
    const named = parts.map((part, i) => split(part, bucket, shards, first + i));
    return { owned: named[own - first] ?? new Map(), parts: named };
  }

  /** Null if it takes the device or other ranks. */
  #readNow(bucket: Bucket): Values[] | null {
    const { gradients } = this.#parts;
    if (bucket.some((name) => this.#byName.get(name)?.partial_gradient)) return null;
    return readbackNow(bucket.map((name) => gradients.get(name)));
  }

  async #read(bucket: Bucket): Promise<Values[]> {
    const { gradients, tp } = this.#parts;
    const values = await gradients.read(bucket);
    return Promise.all(
      bucket.map(async (name) => {
        const own = floats(values.get(name));
        const local = this.#byName.get(name);
        return local?.partial_gradient ? await sumOfParts(local, own, tp) : own;
      }),
    );
  }

  /** Adds the squares of a reduced gradient that this rank owns. */
  count(name: string, own: Float32Array, norms: SquaredNorms): void {
    const { group } = this.#parts;
    const tp = this.#parts.tp.index;
    const local = this.#byName.get(name);
    if (!local || local.copy || (local.replicated && tp > 0)) return;
    norms.add({ parameter: local.index, tp, dp: group.index }, own);
  }

  /** Writes reduced gradients over this rank's own: all sums, or those that it owns. */
  keep(buckets: readonly ReducedGradients[], gathers: boolean): void {
    const { shards, gradients, group } = this.#parts;
    const start = now();
    for (const { parts } of buckets) {
      parts.forEach((part, i) => {
        const rank = gathers ? i : group.index;
        for (const [name, values] of part)
          writePart(gradients, name, shards.get(name)?.[rank]?.start ?? 0, values);
      });
    }
    group.recorder.span({ kind: 'communicate', what: 'write gradients', start, end: now() });
  }

  /** Sends every rank what this one owns of reduced gradients, and writes what the others own. */
  async spread(bucket: Bucket, owned: ReadonlyMap<string, Float32Array>): Promise<void> {
    const { group, shards, gradients } = this.#parts;
    await exchange({ group, shards, bucket, owned }, (name, start, values) =>
      writePart(gradients, name, start, values),
    );
  }
}

/** The gradient of which each rank of tensor parallelism has computed a part. */
export function sumOfParts(
  { parameter }: LocalParameter,
  part: ArrayLike<number> | undefined,
  tp: Group,
): Promise<Float32Array> {
  return tp.sum(floats(part), `parts of ${parameter.name}`);
}

interface Exchange {
  group: Group;
  shards: Shards;
  bucket: Bucket;
  /** What this rank owns, by name. */
  owned: ReadonlyMap<string, Float32Array>;
}

/** Gives `write` every part of every tensor of the bucket, from the ranks that own them. */
async function exchange(
  { group, shards, bucket, owned }: Exchange,
  write: (name: string, start: number, values: Float32Array) => void,
): Promise<void> {
  const mine = joined(bucket.map((name) => owned.get(name) ?? new Float32Array()));
  const parts = await group.allGather(mine, tagOf(bucket));
  parts.forEach((part, rank) => {
    if (!(part instanceof Float32Array)) throw new TypeError('Values of tensors are float32.');
    for (const [name, values] of split(part, bucket, shards, rank)) {
      const start = shards.get(name)?.[rank]?.start ?? 0;
      write(name, start, values);
    }
  });
}

/** After the update of ZeRO-1 and 2: every rank gets the new values of all parameters. */
export async function gatherWeights(
  weights: Store,
  own: TensorStore,
  { group, shards, bucket }: Omit<Exchange, 'owned'>,
): Promise<void> {
  const values = await readback(own.names.map((name) => own.get(name)));
  const owned = new Map(own.names.map((name, i) => [name, floats(values[i])]));
  await exchange({ group, shards, bucket, owned }, (name, start, part) =>
    writePart(weights, name, start, part),
  );
}

/** Writes consecutive values of a tensor, from index `start` on. */
export function writePart(store: Store, name: string, start: number, values: Float32Array): void {
  const view = store.part(name, start, values.length);
  writeTensor(view, values);
}

function cut(values: ArrayLike<number> | undefined, range: ShardRange | undefined): Float32Array {
  if (!(values instanceof Float32Array) || !range) return new Float32Array();
  return values.subarray(range.start, range.end);
}

/** One array after the other. */
export function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Float32Array(length);
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

/** The inverse of `joined` for what one rank owns of a bucket, by name; empty parts are left out. */
function split(
  values: Float32Array,
  bucket: Bucket,
  shards: Shards,
  rank: number,
): Map<string, Float32Array> {
  const parts = new Map<string, Float32Array>();
  let end = 0;
  for (const name of bucket) {
    const range = shards.get(name)?.[rank];
    const length = range ? range.end - range.start : 0;
    if (length > 0) parts.set(name, values.subarray(end, end + length));
    end += length;
  }
  return parts;
}

const floats = (values: ArrayLike<number> | undefined): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values ?? []);

/** Buckets are named after their first tensor, so that all ranks call them the same. */
const tagOf = (bucket: Bucket): string => bucket[0] ?? '';
