/** Builds what a rank holds: its part of the model and of the optimizer, and its programs. */
import { compileProgram, fillInPlace, Store } from '../backend/index.ts';
import { groupOf, type Mesh, placeOf } from '../common/index.ts';
import { resolveModel } from '../config/index.ts';
import {
  listParameters,
  type LossFunction,
  type ModelWeights,
  type Parameter,
  Weights,
  withoutAdapters,
} from '../model/index.ts';
import { labProblems } from '../plan/parallel/lab_check.ts';
import type { ObjectiveSetting } from '../objectives/index.ts';
import { createOptimizer, momentsOf, type Optimizer } from '../optim/index.ts';
import { runParameters } from '../train/index.ts';
import { GroupReducer } from './bucket_reducer.ts';
import { buildMicroBatches } from './build_micro_batches.ts';
import { Group } from './collectives.ts';
import { wholeParameters } from './local_parameters.ts';
import { parametersOfStages } from './pipeline_stages.ts';
import { adaptersOfRank } from './rank_adapters.ts';
import type { RankGroups, RankOptions, RankOutline, RankParts } from './rank_parts.ts';
import {
  allocate,
  localSetting,
  ownedParameters,
  ownedStores,
  weightAndGradientStores,
  weightShards,
} from './rank_stores.ts';
import { ShardedWeights } from './sharded_weights.ts';
import { shardOfRank, shardsOf } from './shards.ts';
import { tensorPart } from './tensor_model.ts';
import { tensorParallelParameters } from './tensor_parameters.ts';
import { Recorder } from './traffic.ts';
import type { Link } from './transport/link.ts';

export type { RankGroups, RankOptions, RankParts } from './rank_parts.ts';

/** What follows from the options alone. Allocates nothing. */
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
  checkSharing(mesh, setting);
  if (!objective.dropout(setting)) model.dropout = 0;
  const { parameters, trains } = runParameters(objective, setting);
  const { training } = config;
  const part = tensorPart(model, training, mesh, place);
  const all = part ? tensorParallelParameters(parameters, part) : wholeParameters(parameters);
  const run = { mesh, place, model, training };
  const locals = mesh.pp > 1 ? parametersOfStages(all, run) : all;
  return {
    mesh,
    place,
    groups,
    recorder,
    model,
    part,
    objective,
    setting,
    locals,
    trains,
    wholes: parameters,
  };
}

/** @throws RangeError with a sentence for the user if the ranks cannot split the rows or the adapters */
function checkSharing(mesh: Mesh, { model, config, stage }: ObjectiveSetting) {
  const { training } = config;
  const problems = labProblems(mesh, { model, training, peft: stage?.peft ?? null });
  const first = problems.find(({ field }) => field === 'dp' || (stage && field === 'tp'));
  if (first) throw new RangeError(first.message);
}

/** @throws ShaderError, BindingTooLarge, DataError, or RangeError for an impossible mesh */
export async function buildRank(options: RankOptions): Promise<RankParts> {
  const outline = outlineOf(options);
  const { mesh, place, groups, objective, setting, locals, trains, wholes } = outline;
  const { training } = setting.config;
  const trainable = locals.filter(({ whole }) => trains(whole));
  const shards = shardsOf(
    trainable.map(({ parameter }) => parameter),
    mesh.dp,
    (parameter) => training.optimizer === 'muon' && parameter.kind === 'matrix',
  );
  const sharding = { group: groups.dp, parameters: trainable, shards, tp: groups.tp };
  const adapters = await adaptersOfRank(setting, outline.part);
  const { reducer = new GroupReducer(groups.dp), bucket_bytes } = options;
  const buckets = { reducer, bucket_bytes };
  const weight_shards = weightShards(mesh, locals, shards);
  const storeOptions = { locals, trains, weight_shards, adapters, buckets };
  const kept = weightAndGradientStores(mesh, sharding, storeOptions);
  const stores = allocate(outline, kept);
  const references = referenceOf(outline, stores.weights);
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
    ...references,
    optimizer,
    shards,
    weight_shards,
    owned,
    squares,
    reduction: kept.gradients,
    microBatches,
    update,
  };
}

type Reference = Pick<RankParts, 'reference' | 'referenceCopy' | 'reference_shards'>;

/**
 * The starting weights, if the objective needs them: a frozen copy of this rank's part of the model,
 * sharded under ZeRO-3, or with adapters the base weights, which need no copy.
 */
function referenceOf(
  { objective, setting, model, locals, mesh, groups }: RankOutline,
  weights: ModelWeights,
): Reference {
  const none = { referenceCopy: null, reference_shards: new Map() };
  if (!objective.reference(setting)) return { reference: null, ...none };
  if (weights.adapters) return { reference: withoutAdapters(weights), ...none };
  const modelNames = new Set(listParameters(model).map(({ name }) => name));
  const parameters = locals.filter(({ whole }) => modelNames.has(whole.name));
  const reference_shards = weightShards(mesh, parameters, new Map());
  const trains = (): boolean => false;
  const referenceCopy =
    mesh.zero_stage === 3
      ? new ShardedWeights({
          group: groups.dp,
          parameters,
          trains,
          shards: reference_shards,
          tag: 'reference',
        })
      : new Weights(
          parameters.map(({ parameter }) => parameter),
          trains,
        );
  return { reference: referenceCopy, referenceCopy, reference_shards };
}

/** Kinds of moments that any rank keeps; this one may own no parameter that has some of them. */
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

type Updatable = Pick<RankParts, 'mesh' | 'stores' | 'owned' | 'optimizer' | 'squares'>;

/** The traced program of an optimizer step. */
function updateOf({ mesh, stores, owned, optimizer, squares }: Updatable) {
  const { weights, gradients } = owned;
  const finished = optimizer.finishStep(weights, gradients, stores.sums, {
    squares: squares.get('squares'),
  });
  // The update zeroes only the gradients that it reads. Under ZeRO-1 the others have to be zeroed too.
  if (mesh.zero_stage === 1) {
    for (const { tensor } of stores.gradients.store.chunks) fillInPlace(tensor, 0);
  }
  return finished;
}
