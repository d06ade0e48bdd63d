/** Everything that a rank holds: its part of the model, of the optimizer, and its programs. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  fillInPlace,
  maxBindingSize,
  PartStore,
  type Program,
  Store,
  type TensorStore,
} from '../backend/index.ts';
import { groupOf, type Mesh, type MeshPlace, placeOf } from '../common/index.ts';
import { logitsChunk, resolveModel, type ResolvedModel } from '../config/index.ts';
import {
  createStores,
  type KeptElsewhere,
  type LossFunction,
  type ModelGradients,
  type ModelStores,
  type Parameter,
  type TensorParallel,
  Weights,
} from '../model/index.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';
import {
  createOptimizer,
  momentsOf,
  type Optimizer,
  type OptimizedParameter,
} from '../optim/index.ts';
import { runParameters, type TrainerOptions } from '../train/index.ts';
import { buildMicroBatches } from './build_micro_batches.ts';
import { Group } from './collectives.ts';
import { GradientReducer } from './data.ts';
import { type LocalParameter, wholeParameters } from './local_parameters.ts';
import type { MicroBatches } from './micro_batches.ts';
import { OverlappedGradients } from './overlapped_gradients.ts';
import { parametersOfStages } from './pipeline_stages.ts';
import type { Reduction } from './reduction.ts';
import { shardOfRank, type Shards, shardsOf } from './shards.ts';
import { localModel, type TensorPart, tensorProblem } from './tensor_model.ts';
import { tensorParallelParameters } from './tensor_parameters.ts';
import { TensorParallelRegion } from './tensor_region.ts';
import { Recorder } from './traffic.ts';
import type { Link } from './transport/link.ts';
import { namesIn, ShardedGradients, ShardedWeights, type Sharding } from './zero.ts';

export interface RankOptions extends TrainerOptions {
  mesh: Mesh;
  link: Link;
}

/** The groups that a rank is in. */
export interface RankGroups {
  world: Group;
  dp: Group;
  tp: Group;
  pp: Group;
}

export interface RankParts {
  mesh: Mesh;
  place: MeshPlace;
  groups: RankGroups;
  recorder: Recorder;
  /** The whole model. */
  model: ResolvedModel;
  objective: Objective;
  /** Of the whole run: its source makes the batches of all ranks. */
  setting: ObjectiveSetting;
  /** The parameters here, in the order of their stores. */
  locals: readonly LocalParameter[];
  trains: (parameter: Parameter) => boolean;
  /** Those of the whole model and objective. */
  wholes: readonly Parameter[];
  /** The slice of each layer under tensor parallelism; null without it. */
  part: TensorPart | null;
  stores: ModelStores;
  optimizer: Optimizer;
  /** Kinds of moments that the optimizer keeps. */
  moments: readonly string[];
  /** Who owns which values of the trainable parameters. */
  shards: Shards;
  /** What the update writes: weights and gradients, or the parts of them that this rank owns. */
  owned: { weights: TensorStore; gradients: TensorStore };
  /** `squares` [1]: sum of squares of all gradients of all ranks, written before the update. */
  squares: Store;
  /** How gradients of the ranks with other rows are added up. */
  reduction: Reduction;
  microBatches: MicroBatches;
  update: Program<{ results: Tensor }>;
}

/** What a rank is before anything is allocated. */
type RankOutline = Pick<
  RankParts,
  | 'mesh'
  | 'place'
  | 'groups'
  | 'recorder'
  | 'model'
  | 'objective'
  | 'setting'
  | 'locals'
  | 'trains'
  | 'wholes'
  | 'part'
>;

function outlineOf(options: RankOptions): RankOutline {
  const { config, objective, mesh, link } = options;
  const recorder = new Recorder();
  const place = placeOf(mesh, link.rank);
  const groups = groupsOf(mesh, link, recorder);
  const model = resolveModel(config.model, options.vocab_size);
  const setting: ObjectiveSetting = {
    config,
    model,
    stage: options.stage ?? null,
    data: options.data ?? null,
  };
  if (!objective.dropout(setting)) model.dropout = 0;
  const { parameters, trains } = runParameters(objective, setting);
  const part = tensorPart(setting, mesh, place);
  const all = part ? tensorParallelParameters(parameters, part) : wholeParameters(parameters);
  const { training } = config;
  const run = { mesh, place, model, training, objective: objective.name };
  const locals = mesh.pp > 1 ? parametersOfStages(all, run) : all;
  return {
    ...{ mesh, place, groups, recorder, model, objective, setting },
    locals,
    trains,
    wholes: parameters,
    part,
  };
}

/** @throws ShaderError, BindingTooLarge, DataError, or RangeError for an impossible mesh */
export async function buildRank(options: RankOptions): Promise<RankParts> {
  const outline = outlineOf(options);
  const { mesh, place, groups, objective, setting, locals, trains, wholes, part } = outline;
  const tensor_parallel = part ? new TensorParallelRegion(groups.tp, part) : undefined;
  const { training } = setting.config;
  const trainable = locals.filter(({ whole }) => trains(whole));
  const shards = shardsOf(
    trainable.map(({ parameter }) => parameter),
    mesh.dp,
    (parameter) => training.optimizer === 'muon' && parameter.kind === 'matrix',
  );
  const sharding = { group: groups.dp, parameters: trainable, shards, tp: groups.tp };
  const kept = keptStores(mesh, sharding, locals);
  const stores = allocate({
    setting: part ? { ...setting, model: localModel(part) } : setting,
    objective,
    mesh,
    locals,
    trains,
    kept,
    tensor_parallel,
  });
  const owned = ownedStores(mesh, stores, shardOfRank(shards, place.dp));
  const optimizer = createOptimizer(
    training,
    ownedParameters(mesh, trainable, shardOfRank(shards, place.dp)),
  );
  const squares = new Store('squared norm', [{ name: 'squares', shape: [1] }]);
  const local = localSetting(setting, mesh);
  const loss: LossFunction = (context) => objective.loss(context, local);
  const [microBatches, update] = await Promise.all([
    buildMicroBatches({ ...outline, stores, loss }),
    compileProgram('update', () => updateOf({ mesh, stores, owned, optimizer, squares })),
  ]);
  return {
    ...outline,
    moments: momentNames(optimizer, wholes.filter(trains)),
    stores,
    optimizer,
    shards,
    owned,
    squares,
    reduction: kept.gradients,
    microBatches,
    update,
  };
}

/** Of all ranks: this one may own no parameter that has some of them. */
function momentNames({ chain }: Optimizer, trainable: readonly Parameter[]): string[] {
  return [...new Set(trainable.flatMap((parameter) => momentsOf(chain, parameter)))].sort();
}

function groupsOf(mesh: Mesh, link: Link, recorder: Recorder): RankGroups {
  const group = (ranks: readonly number[]): Group => new Group(ranks, link, recorder);
  return {
    world: group(Array.from({ length: link.size }, (_, rank) => rank)),
    dp: group(groupOf(mesh, link.rank, 'dp')),
    tp: group(groupOf(mesh, link.rank, 'tp')),
    pp: group(groupOf(mesh, link.rank, 'pp')),
  };
}

/** @throws Error if the layers cannot be shared out */
function tensorPart(
  { model, config }: ObjectiveSetting,
  { tp }: Mesh,
  place: MeshPlace,
): TensorPart | null {
  const problem = tensorProblem(model, tp, config.training.optimizer);
  if (problem) throw new Error(problem);
  return tp > 1 ? { model, index: place.tp, tp } : null;
}

/** The setting of what a rank computes: its share of the rows of each micro-batch. */
function localSetting(setting: ObjectiveSetting, { dp }: Mesh): ObjectiveSetting {
  const { config } = setting;
  const training = { ...config.training, batch_size: config.training.batch_size / dp };
  return { ...setting, config: { ...config, training } };
}

interface Allocatable {
  setting: ObjectiveSetting;
  objective: Objective;
  mesh: Mesh;
  locals: readonly LocalParameter[];
  trains: (parameter: Parameter) => boolean;
  kept: KeptElsewhere;
  tensor_parallel: TensorParallel | undefined;
}

function allocate({
  setting,
  objective,
  mesh,
  locals,
  trains,
  kept,
  tensor_parallel,
}: Allocatable): ModelStores {
  const local = localSetting(setting, mesh);
  const { config, model } = local;
  const size = objective.shape(local);
  const attention = objective.attention?.(local);
  const training = { ...config.training, batch_size: size.batch_size };
  return createStores({
    model,
    batch_size: size.batch_size,
    block_size: size.block_size,
    activation_checkpointing: config.training.activation_checkpointing,
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
    tensor_parallel,
  });
}

type OwnShard = ReturnType<typeof shardOfRank>;

/** Without ZeRO every rank updates everything; with it, the parts that it owns. */
function ownedStores(
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
function keptStores(
  { zero_stage }: Mesh,
  sharding: Sharding,
  locals: readonly LocalParameter[],
): KeptElsewhere & { gradients: ModelGradients & Reduction } {
  const parameters = locals.map(({ parameter }) => parameter);
  if (zero_stage === 3) {
    const weights = new ShardedWeights(sharding, parameters);
    return { weights, gradients: new ShardedGradients(sharding, weights) };
  }
  const names = new Set(sharding.parameters.map(({ parameter }) => parameter.name));
  const weights = new Weights(parameters, ({ name }) => names.has(name));
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
function ownedParameters(
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

type Updatable = Pick<RankParts, 'mesh' | 'stores' | 'owned' | 'optimizer' | 'squares'>;

function updateOf({ mesh, stores, owned, optimizer, squares }: Updatable) {
  const { weights, gradients } = owned;
  const end = { squares: squares.get('squares') };
  const finished = optimizer.finishStep(weights, gradients, stores.sums, end);
  // The update zeroes what it owns; the rest of the gradients are this rank's alone.
  if (mesh.zero_stage === 1) {
    for (const { tensor } of stores.gradients.store.chunks) fillInPlace(tensor, 0);
  }
  return finished;
}
