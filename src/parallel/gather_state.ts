/** The state of a parallel run as that of one rank, so that checkpoints know no mesh. */
import type { Values } from '../backend/index.ts';
import { listParameters, parameterSize } from '../model/index.ts';
import type { ObjectiveTensor, TrainerState } from '../train/index.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { RankParts } from './rank_build.ts';
import type { ShardRange, Shards } from './shards.ts';

/** Prefix of the reference's weights, as `TrainerState` names them. */
const REFERENCE = 'reference.';

type Tensors = Required<Pick<TrainerState, 'parameters' | 'objective_tensors' | 'optimizer'>>;

/**
 * Whole weights and moments on rank 0; null on the others, which send what they hold. Each value is
 * sent by one rank alone, so that adding up what arrives puts it together.
 */
export async function gatherState(parts: RankParts): Promise<Tensors | null> {
  const { stores, optimizer, mesh, weight_shards, reference_shards } = parts;
  const read = await stores.weights.read();
  const weights = await gatherAll(parts, '', (local) =>
    sentOf(parts, weight_shards, local, read.get(local.parameter.name)),
  );
  const kept = await optimizer.state.read();
  const momentShards: Shards = mesh.zero_stage === 0 ? new Map() : parts.shards;
  const moments = new Map<string, Float32Array>();
  for (const moment of parts.moments) {
    const gathered = await gatherAll(parts, `${moment}.`, (local) =>
      sentOf(parts, momentShards, local, kept.get(`${moment}.${local.parameter.name}`)),
    );
    for (const [name, values] of gathered ?? []) moments.set(name, values);
  }
  const frozen = await parts.referenceCopy?.read();
  const reference = await gatherAll(parts, REFERENCE, (local) =>
    sentOf(parts, reference_shards, local, frozen?.get(local.parameter.name)),
  );
  return weights && { ...splitByModel(parts, weights, reference), optimizer: moments };
}

/**
 * What this rank sends of a parameter, with its `values` here: the part that it owns, among zeros; of
 * a parameter that is whole on several ranks, one sends all and the others nothing.
 */
function sentOf(
  { place }: RankParts,
  shards: Shards,
  local: LocalParameter,
  values: Values | undefined,
): Values | undefined {
  if (!values || local.copy || (local.replicated && place.tp > 0)) return undefined;
  const ranges = shards.get(local.parameter.name);
  if (ranges) return inWhole(local, ranges[place.dp], values);
  return place.dp === 0 ? values : undefined;
}

/** A run of a local parameter's values among zeros. */
function inWhole(
  { parameter }: LocalParameter,
  range: ShardRange | undefined,
  values: Values,
): Float32Array {
  const whole = new Float32Array(parameterSize(parameter));
  whole.set(values, range?.start ?? 0);
  return whole;
}

/** One tensor of the whole model after the other; those that no rank has are left out. */
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
    const mine = new Float32Array(values ? parameterSize(whole) : 0);
    if (local && values) local.put(mine, Float32Array.from(values));
    const sum = await groups.world.gatherSum(mine, 0, `state ${prefix}${whole.name}`);
    if (sum && sum.length > 0) gathered.set(prefix + whole.name, sum);
  }
  return groups.world.index === 0 ? gathered : null;
}

/** The model's own parameters; those of the objective and the reference, with their shapes. */
function splitByModel(
  { model, wholes }: RankParts,
  weights: ReadonlyMap<string, Float32Array>,
  reference: ReadonlyMap<string, Float32Array> | null,
) {
  const ofModel = new Set(listParameters(model).map(({ name }) => name));
  const parameters = new Map<string, Float32Array>();
  const objective_tensors = new Map<string, ObjectiveTensor>();
  for (const { name, shape } of wholes) {
    const data = weights.get(name);
    if (data && ofModel.has(name)) parameters.set(name, data);
    else if (data) objective_tensors.set(name, { shape, data });
    const kept = reference?.get(REFERENCE + name);
    if (kept) objective_tensors.set(REFERENCE + name, { shape, data: kept });
  }
  return { parameters, objective_tensors };
}
