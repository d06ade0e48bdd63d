/**
 * Data parallelism: every rank computes the gradients of its own rows, which are then summed over the
 * ranks (Li et al. 2020, PyTorch Distributed). Without ZeRO every rank updates all parameters. Under
 * ZeRO-1 (Rajbhandari et al. 2020) each rank keeps moments of the values that it owns (`shards.ts`),
 * updates those alone, and sends their new values to the others.
 *
 * ZeRO-2 and 3 reduce gradients inside the backward pass instead (`zero.ts`).
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
import { concatenate } from './concatenate.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { SquaredNorms } from './norm.ts';
import type { ShardRange, Shards } from './shards.ts';
import { now } from './transport/link.ts';

/** Names of the trainable parameters whose gradients are reduced together. */
export type Bucket = readonly string[];

export interface ReducedParts {
  /** The ranks of data parallelism. */
  group: Group;
  /** Trainable parameters of this rank, in the order of their stores. */
  parameters: readonly LocalParameter[];
  shards: Shards;
  /** Gradients of this rank's rows [whole parameters]. */
  gradients: Store;
  /** The ranks of tensor parallelism. */
  tp: Group;
  /** Reduces over `group`. */
  reducer: BucketReducer;
}

/** Gradients of a bucket, summed over all ranks, as flat values by the names of their parameters. */
export interface ReducedGradients {
  /** The shards that this rank owns. */
  owned: ReadonlyMap<string, Float32Array>;
  /** The shards of every rank, in order, if all sums were asked for; otherwise those of this rank. */
  parts: readonly ReadonlyMap<string, Float32Array>[];
}

/** Sums gradients over the ranks of data parallelism, bucket by bucket. */
export class GradientReducer {
  readonly #parts: ReducedParts;
  readonly #byName: ReadonlyMap<string, LocalParameter>;

  /** The parameters whose gradients are reduced, as this rank holds them. */
  get trainable(): Parameter[] {
    return this.#parts.parameters.map(({ parameter }) => parameter);
  }

  /** Number of ranks that the sums are over. */
  get ranks(): number {
    return this.#parts.group.size;
  }

  constructor(parts: ReducedParts) {
    this.#parts = parts;
    this.#byName = new Map(parts.parameters.map((local) => [local.parameter.name, local]));
  }

  /**
   * Sums the gradients of a bucket over all ranks. With `gathers` every rank gets all sums (an
   * all-reduce), otherwise each gets those that it owns (a reduce-scatter). The gradients are copied
   * before this function first waits, so the backward pass may continue; on the processor they are
   * also sent before.
   */
  async reduce(bucket: Bucket, gathers: boolean): Promise<ReducedGradients> {
    const { group, shards, reducer } = this.#parts;
    const values = this.#readNow(bucket) ?? (await this.#read(bucket));
    const slices = group.ranks.map((_, rank) =>
      concatenate(bucket.map((name, i) => sliceOf(values[i], shards.get(name)?.[rank]))),
    );
    // `ui/lab/schedule_measures.ts` knows the spans by this name.
    const { parts, report } = await reducer.reduce({
      slices,
      tag: `bucket of ${tagOf(bucket)}`,
      gathers,
    });
    if (report) group.recorder.add(report);
    const firstRank = gathers ? 0 : group.index;
    const named = parts.map((part, i) => splitByName(part, bucket, shards, firstRank + i));
    return { owned: named[group.index - firstRank] ?? new Map(), parts: named };
  }

  /** The gradients, or null if reading them has to wait for the device or for other ranks. */
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

  /** Adds the squares of a reduced gradient that this rank owns to `norms`. */
  addSquares(name: string, own: Float32Array, norms: SquaredNorms): void {
    const { group } = this.#parts;
    const tp = this.#parts.tp.index;
    const local = this.#byName.get(name);
    if (!local || local.copy || (local.replicated && tp > 0)) return;
    norms.add({ parameter: local.index, tp, dp: group.index }, own);
  }

  /**
   * `addSquares` for gradients of one rank, which stay where the update reads them. Their values are
   * only read: the norm is added up on the host, in float64, whatever the mesh. Sums over the ranks of
   * tensor parallelism are written.
   */
  async addSquaresInPlace(names: Bucket, norms: SquaredNorms): Promise<void> {
    const values = this.#readNow(names) ?? (await this.#read(names));
    for (const [i, name] of names.entries()) {
      const own = floats(values[i]);
      this.addSquares(name, own, norms);
      const isSum = this.#byName.get(name)?.partial_gradient ?? false;
      if (isSum) writePart(this.#parts.gradients, name, 0, own);
    }
  }

  /** Replaces this rank's gradients by reduced ones: by all sums, or by those that it owns. */
  write(buckets: readonly ReducedGradients[], gathers: boolean): void {
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

  /** All-gathers the reduced gradients `owned` by each rank, and writes those of all ranks. */
  async allGather(bucket: Bucket, owned: ReadonlyMap<string, Float32Array>): Promise<void> {
    const { group, shards, gradients } = this.#parts;
    await allGatherShards({ group, shards, bucket, owned }, (name, start, values) =>
      writePart(gradients, name, start, values),
    );
  }
}

/** The sum of the parts of a gradient that the ranks of tensor parallelism have computed. */
export function sumOfParts(
  { parameter }: LocalParameter,
  part: ArrayLike<number> | undefined,
  tp: Group,
): Promise<Float32Array> {
  return tp.sum(floats(part), `parts of ${parameter.name}`);
}

interface ShardGather {
  group: Group;
  shards: Shards;
  bucket: Bucket;
  /** What this rank owns, by name. */
  owned: ReadonlyMap<string, Float32Array>;
}

/** Calls `write` with every shard of every tensor of the bucket, from the ranks that own them. */
async function allGatherShards(
  { group, shards, bucket, owned }: ShardGather,
  write: (name: string, start: number, values: Float32Array) => void,
): Promise<void> {
  const ownValues = concatenate(bucket.map((name) => owned.get(name) ?? []));
  const parts = await group.allGather(ownValues, tagOf(bucket));
  parts.forEach((part, rank) => {
    if (!(part instanceof Float32Array)) throw new TypeError('Values of tensors are float32.');
    for (const [name, values] of splitByName(part, bucket, shards, rank)) {
      const start = shards.get(name)?.[rank]?.start ?? 0;
      write(name, start, values);
    }
  });
}

/**
 * Writes the new values of all parameters into `weights` after an update of ZeRO-1 or 2, in which each
 * rank has updated those in its `own` store.
 */
export async function gatherWeights(
  weights: Store,
  own: TensorStore,
  { group, shards, bucket }: Omit<ShardGather, 'owned'>,
): Promise<void> {
  const values = await readback(own.names.map((name) => own.get(name)));
  const owned = new Map(own.names.map((name, i) => [name, floats(values[i])]));
  await allGatherShards({ group, shards, bucket, owned }, (name, start, part) =>
    writePart(weights, name, start, part),
  );
}

/** Writes consecutive values of a tensor, from the flat index `start` on. */
export function writePart(store: Store, name: string, start: number, values: Float32Array): void {
  const view = store.part(name, start, values.length);
  writeTensor(view, values);
}

function sliceOf(
  values: ArrayLike<number> | undefined,
  range: ShardRange | undefined,
): Float32Array {
  if (!(values instanceof Float32Array) || !range) return new Float32Array();
  return values.subarray(range.start, range.end);
}

/** The inverse of `concatenate` for what one rank owns of a bucket, by name; empty parts are left out. */
function splitByName(
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
