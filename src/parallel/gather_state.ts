/** Gathers the state of a parallel run as that of one rank, so that checkpoints do not depend on the mesh. */
import type { Values } from '../backend/index.ts';
import { listParameters, parameterSize } from '../model/index.ts';
import type { ObjectiveTensor, TrainerState } from '../train/index.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { RankParts } from './rank_build.ts';
import type { ShardRange, Shards } from './shards.ts';

/** Prefix of the reference's weights in `TrainerState.objective_tensors`. */
const REFERENCE = 'reference.';

type Tensors = Required<Pick<TrainerState, 'parameters' | 'objective_tensors' | 'optimizer'>>;

/**
 * Gathers whole weights and moments on rank 0; returns null on the others. Of each value exactly one
 * rank sends a copy and the others send zeros or nothing, so the sum of the messages is the whole tensor.
 */
export async function gatherState(parts: RankParts): Promise<Tensors | null> {
  const { stores, optimizer, mesh, weight_shards, reference_shards } = parts;
  const localWeights = await stores.weights.read();
  const weights = await gatherAll(parts, '', (local) =>
    valuesToSend(parts, weight_shards, local, localWeights.get(local.parameter.name)),
  );
  const localMoments = await optimizer.state.read();
  const momentShards: Shards = mesh.zero_stage === 0 ? new Map() : parts.shards;
  const moments = new Map<string, Float32Array>();
  for (const moment of parts.moments) {
    const gathered = await gatherAll(parts, `${moment}.`, (local) =>
      valuesToSend(
        parts,
        momentShards,
        local,
        localMoments.get(`${moment}.${local.parameter.name}`),
      ),
    );
    for (const [name, values] of gathered ?? []) moments.set(name, values);
  }
  const localReference = await parts.referenceCopy?.read();
  const reference = await gatherAll(parts, REFERENCE, (local) =>
    valuesToSend(parts, reference_shards, local, localReference?.get(local.parameter.name)),
  );
  return weights && { ...splitByModel(parts, weights, reference), optimizer: moments };
}

/**
 * What this rank sends of a parameter, of which it holds `values`: the shard that it owns, among zeros.
 * Of a parameter that several ranks hold whole, one sends all values and the others nothing.
 */
function valuesToSend(
  { place }: RankParts,
  shards: Shards,
  local: LocalParameter,
  values: Values | undefined,
): Values | undefined {
  if (!values || local.copy || (local.replicated && place.tp > 0)) return undefined;
  const ranges = shards.get(local.parameter.name);
  if (ranges) return amongZeros(local, ranges[place.dp], values);
  return place.dp === 0 ? values : undefined;
}

/** A shard at its place in the parameter, with zeros elsewhere [size of the parameter here]. */
function amongZeros(
  { parameter }: LocalParameter,
  range: ShardRange | undefined,
  values: Values,
): Float32Array {
  const padded = new Float32Array(parameterSize(parameter));
  padded.set(values, range?.start ?? 0);
  return padded;
}

/** Gathers one tensor after the other on rank 0, without those that no rank has; null elsewhere. */
async function gatherAll(
  parts: RankParts,
  prefix: string,
  valuesOf: (local: LocalParameter) => Values | undefined,
): Promise<Map<string, Float32Array> | null> {
  const { groups, wholes } = parts;
  const byName = new Map(parts.locals.map((local) => [local.whole.name, local]));
  const gathered = new Map<string, Float32Array>();
  for (const whole of wholes) {
    const local = byName.get(whole.name);
    const values = local && valuesOf(local);
    const part = new Float32Array(values ? parameterSize(whole) : 0);
    if (local && values) local.put(part, Float32Array.from(values));
    const sum = await groups.world.gatherSum(part, 0, `state ${prefix}${whole.name}`);
    if (sum && sum.length > 0) gathered.set(prefix + whole.name, sum);
  }
  return groups.world.index === 0 ? gathered : null;
}

/** Separates the model's parameters from those of the objective and of the reference. */
function splitByModel(
  { model, wholes }: RankParts,
  weights: ReadonlyMap<string, Float32Array>,
  reference: ReadonlyMap<string, Float32Array> | null,
) {
  const modelNames = new Set(listParameters(model).map(({ name }) => name));
  const parameters = new Map<string, Float32Array>();
  const objective_tensors = new Map<string, ObjectiveTensor>();
  for (const { name, shape } of wholes) {
    const data = weights.get(name);
    if (data && modelNames.has(name)) parameters.set(name, data);
    else if (data) objective_tensors.set(name, { shape, data });
    const frozen = reference?.get(REFERENCE + name);
    if (frozen) objective_tensors.set(REFERENCE + name, { shape, data: frozen });
  }
  return { parameters, objective_tensors };
}
