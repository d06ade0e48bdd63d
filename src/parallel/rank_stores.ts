/** Creates the stores of a rank: its part of weights and gradients, its inputs and sums. */
import { maxBindingSize, PartStore, Store, type TensorStore } from '../backend/index.ts';
import type { Mesh } from '../common/index.ts';
import { logitsChunk, recomputeGranularity } from '../config/index.ts';
import {
  type Adapters,
  createStores,
  type KeptElsewhere,
  type ModelGradients,
  type ModelStores,
  type Parameter,
  Weights,
} from '../model/index.ts';
import type { ObjectiveSetting } from '../objectives/index.ts';
import type { OptimizedParameter } from '../optim/index.ts';
import type { BucketReducer } from './bucket_reducer.ts';
import { GradientReducer } from './data.ts';
import type { LocalParameter } from './local_parameters.ts';
import { OverlappedGradients } from './overlapped_gradients.ts';
import type { RankOutline } from './rank_parts.ts';
import type { Reduction } from './reduction.ts';
import { type shardOfRank, type Shards, shardsOf } from './shards.ts';
import { ShardedWeights } from './sharded_weights.ts';
import { localModel } from './tensor_model.ts';
import { TensorParallelRegion } from './tensor_region.ts';
import { SyncedGradients } from './synced_gradients.ts';
import { namesInStore, ShardedGradients, type Sharding } from './zero.ts';

/** The setting of one rank's program, whose batch is its share of the rows of a micro-batch. */
export function localSetting(setting: ObjectiveSetting, { dp }: Mesh): ObjectiveSetting {
  const { config } = setting;
  const training = { ...config.training, batch_size: config.training.batch_size / dp };
  return { ...setting, config: { ...config, training } };
}

/**
 * The stores that the programs of a rank read and write. `kept` has weights and gradients, which
 * `weightAndGradientStores` has created.
 */
export function allocate(
  { setting, objective, mesh, groups, part, locals, trains }: RankOutline,
  kept: KeptElsewhere,
): ModelStores {
  const local = localSetting(setting, mesh);
  const { config } = local;
  const model = part ? localModel(part) : local.model;
  const size = objective.shape(local);
  const attention = objective.attention?.(local);
  const training = { ...config.training, batch_size: size.batch_size };
  return createStores({
    model,
    batch_size: size.batch_size,
    block_size: size.block_size,
    recompute_granularity: recomputeGranularity(config.training),
    logits_chunk: logitsChunk(
      { ...model, block_size: size.block_size },
      training,
      maxBindingSize(),
    ),
    parameters: locals.map(({ parameter }) => parameter),
    trains,
    sum_count: objective.sums.length,
    extra_inputs: [...objective.inputs(size), ...(attention?.inputs(size) ?? [])],
    attend: attention?.attend,
    kept,
    tensor_parallel: part ? new TensorParallelRegion(groups.tp, part) : undefined,
  });
}

type OwnShard = ReturnType<typeof shardOfRank>;

/**
 * What the update of a rank reads and writes. Without ZeRO that is everything. With ZeRO it is the parts
 * that the rank owns: views of whole tensors where these are whole, and otherwise the sharded stores.
 */
export function ownedStores(
  { zero_stage }: Mesh,
  { weights, gradients }: ModelStores,
  shard: OwnShard,
): { weights: TensorStore; gradients: TensorStore } {
  const parts = [...shard].map(([name, range]) => ({ name, ...range }));
  const partOf = (store: Store): TensorStore => new PartStore(store, parts);
  const { trainable } = weights;
  const weightsAreWhole = zero_stage === 1 || zero_stage === 2;
  return {
    weights: weightsAreWhole ? partOf(trainable) : trainable,
    gradients: zero_stage === 1 ? partOf(gradients.store) : gradients.store,
  };
}

/**
 * Who owns which values of the weights. Under ZeRO-3 these are the shards of the trainable parameters
 * (`trained`) and of the frozen ones; otherwise none, because all weights are whole.
 */
export function weightShards(
  { zero_stage, dp }: Mesh,
  locals: readonly LocalParameter[],
  trained: Shards,
): Shards {
  if (zero_stage !== 3) return new Map();
  const parameters = locals.map(({ parameter }) => parameter);
  const frozen = parameters.filter(({ name }) => !trained.has(name));
  return new Map([...trained, ...shardsOf(frozen, dp, () => false)]);
}

/** How gradients are reduced without ZeRO and under ZeRO-1. */
export interface Buckets {
  reducer: BucketReducer;
  /** Default: `BUCKET_BYTES`. */
  bucket_bytes?: number;
}

export interface StoreOptions {
  /** The parameters on this rank, frozen ones included. */
  locals: readonly LocalParameter[];
  trains: (whole: Parameter) => boolean;
  /** See `weightShards`. */
  weight_shards: Shards;
  adapters: Adapters | null;
  buckets: Buckets;
}

/** Creates the stores of weights and gradients that the stage of ZeRO calls for. */
export function weightAndGradientStores(
  { zero_stage, pp, sync_each_batch = false }: Mesh,
  sharding: Sharding,
  { locals, trains, weight_shards, adapters, buckets }: StoreOptions,
): KeptElsewhere & { gradients: ModelGradients & Reduction } {
  if (zero_stage === 3) {
    const { group } = sharding;
    const weights = new ShardedWeights(
      { group, parameters: locals, trains, shards: weight_shards, tag: 'weights' },
      adapters,
    );
    return { weights, gradients: new ShardedGradients(sharding, weights) };
  }
  const parameters = locals.map(({ parameter }) => parameter);
  const names = new Set(sharding.parameters.map(({ parameter }) => parameter.name));
  const weights = new Weights(parameters, ({ name }) => names.has(name), adapters);
  if (zero_stage === 2) {
    return { weights, gradients: new ShardedGradients(sharding, namesInStore(weights.trainable)) };
  }
  const gradients = new Store('gradients', weights.trainable.specs);
  const reducer = new GradientReducer({ ...sharding, gradients, reducer: buckets.reducer });
  const options = { reducer, gathers: zero_stage === 0, bucket_bytes: buckets.bucket_bytes };
  const ReducedGradients = sync_each_batch && pp === 1 ? SyncedGradients : OverlappedGradients;
  return { weights, gradients: new ReducedGradients(gradients, weights.trainable, options) };
}

/** The parameters as the optimizer of this rank sees them: whole, or flat shards [values owned]. */
export function ownedParameters(
  mesh: Mesh,
  trainable: readonly LocalParameter[],
  shard: OwnShard,
): OptimizedParameter[] {
  if (mesh.zero_stage === 0) return trainable.map(({ parameter }) => parameter);
  return trainable.flatMap(({ parameter }) => {
    const range = shard.get(parameter.name);
    if (!range) return [];
    const size = parameter.shape.reduce((product, n) => product * n, 1);
    const length = range.end - range.start;
    return [length === size ? parameter : { ...parameter, shape: [length] }];
  });
}
