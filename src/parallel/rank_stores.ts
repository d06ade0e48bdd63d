/** The stores of a rank: its part of the weights, gradients and moments, and its inputs. */
import { maxBindingSize, PartStore, Store, type TensorStore } from '../backend/index.ts';
import type { Mesh } from '../common/index.ts';
import { logitsChunk, recomputeGranularity } from '../config/index.ts';
import {
  type Adapters,
  createStores,
  type KeptElsewhere,
  type ModelGradients,
  type ModelStores,
  Weights,
} from '../model/index.ts';
import type { ObjectiveSetting } from '../objectives/index.ts';
import type { OptimizedParameter } from '../optim/index.ts';
import { GradientReducer } from './data.ts';
import type { LocalParameter } from './local_parameters.ts';
import { OverlappedGradients } from './overlapped_gradients.ts';
import type { RankOutline } from './rank_parts.ts';
import type { Reduction } from './reduction.ts';
import type { shardOfRank } from './shards.ts';
import { localModel } from './tensor_model.ts';
import { TensorParallelRegion } from './tensor_region.ts';
import { namesIn, ShardedGradients, ShardedWeights, type Sharding } from './zero.ts';

/** The setting of what a rank computes: its share of the rows of each micro-batch. */
export function localSetting(setting: ObjectiveSetting, { dp }: Mesh): ObjectiveSetting {
  const { config } = setting;
  const training = { ...config.training, batch_size: config.training.batch_size / dp };
  return { ...setting, config: { ...config, training } };
}

/** The stores of a rank, of which `kept` are weights and gradients. */
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

/** Without ZeRO every rank updates everything; with it, the parts that it owns. */
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

/** The stores of weights and gradients as the stage of ZeRO has them. */
export function keptStores(
  { zero_stage }: Mesh,
  sharding: Sharding,
  { locals, adapters }: { locals: readonly LocalParameter[]; adapters: Adapters | null },
): KeptElsewhere & { gradients: ModelGradients & Reduction } {
  const parameters = locals.map(({ parameter }) => parameter);
  if (zero_stage === 3) {
    const weights = new ShardedWeights(sharding, parameters, adapters);
    return { weights, gradients: new ShardedGradients(sharding, weights) };
  }
  const names = new Set(sharding.parameters.map(({ parameter }) => parameter.name));
  const weights = new Weights(parameters, ({ name }) => names.has(name), adapters);
  if (zero_stage === 2) {
    return { weights, gradients: new ShardedGradients(sharding, namesIn(weights.trainable)) };
  }
  const gradients = new Store('gradients', weights.trainable.specs);
  const reducer = new GradientReducer({ ...sharding, gradients });
  const overlapped = new OverlappedGradients(gradients, weights.trainable, {
    reducer,
    settle: (bucket, owned) =>
      zero_stage === 0 ? reducer.spread(bucket, owned) : reducer.keep(owned),
  });
  return { weights, gradients: overlapped };
}

/** What the optimizer keeps moments of: whole parameters, or flat parts of them. */
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
