/**
 * The weights of the whole model on one rank, for sampling answers. Under ZeRO-3, tensor and pipeline
 * parallelism they are gathered once for a batch of answers instead of once for every token (TRL's
 * `ds3_gather_for_generation`).
 */
import type { Values } from '../backend/index.ts';
import { isAdapterTensor, listParameters, parameterSize, Weights } from '../model/index.ts';
import { concatenate } from './concatenate.ts';
import type { LocalParameter } from './local_parameters.ts';
import { adaptersOfRank } from './rank_adapters.ts';
import type { RankParts } from './rank_parts.ts';
import type { TensorPart } from './tensor_model.ts';
import { tensorParallelParameters } from './tensor_parameters.ts';

type Locals = ReadonlyMap<string, LocalParameter>;

/** This rank's weights if it holds the whole model; otherwise null. */
export function wholeWeightsHere({ mesh, part, stores }: RankParts) {
  return mesh.zero_stage === 3 || part || mesh.pp > 1 ? null : stores.weights;
}

/**
 * Gathers a copy of the model's current weights, which the caller disposes of. All ranks must call it
 * together.
 *
 * @throws RankLost if another rank is gone or does not answer
 */
export async function gatherModelWeights(parts: RankParts): Promise<Weights> {
  const ofModel = new Set(listParameters(parts.model).map(({ name }) => name));
  const listed = parts.wholes.filter(({ name }) => ofModel.has(name) || isAdapterTensor(name));
  const weights = new Weights(listed, () => false, await adaptersOfRank(parts.setting, null));
  const ownWeights = await parts.stores.weights.read();
  const slices = slicesOf(parts);
  try {
    for (const { name, shape } of listed) {
      const local = await gatherShards(parts, name, ownWeights.get(name));
      const tag = `weights ${name}`;
      const received = parts.part ? await parts.groups.tp.allGather(local, tag) : [local];
      const isHere = received.some(({ length }) => length > 0);
      const whole = new Float32Array(isHere ? parameterSize({ shape }) : 0);
      received.forEach((values, index) => {
        if (values.length > 0) slices[index]?.get(name)?.put(whole, Float32Array.from(values));
      });
      weights.write(name, await fromOwningStage(parts, whole, tag));
    }
    return weights;
  } catch (error) {
    weights.dispose();
    throw error;
  }
}

/** The values of a parameter from the first stage of the pipeline that has them. */
async function fromOwningStage(
  { mesh, groups }: RankParts,
  whole: Float32Array<ArrayBuffer>,
  tag: string,
): Promise<Float32Array> {
  if (mesh.pp === 1) return whole;
  const stages = await groups.pp.allGather(whole, `${tag} of stages`);
  return Float32Array.from(stages.find(({ length }) => length > 0) ?? []);
}

/** The parameters of each rank of tensor parallelism. */
function slicesOf({ part, locals, wholes }: RankParts): Locals[] {
  const byName = (all: readonly LocalParameter[]): Locals =>
    new Map(all.map((local) => [local.whole.name, local]));
  if (!part) return [byName(locals)];
  const partOf = (index: number): TensorPart => ({ ...part, index });
  return Array.from({ length: part.tp }, (_, index) =>
    byName(tensorParallelParameters(wholes, partOf(index))),
  );
}

/** The values of a parameter that this rank computes with; none if it has no part of it. */
async function gatherShards(
  { groups, weight_shards, locals }: RankParts,
  name: string,
  values: Values | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const own = Float32Array.from(values ?? []);
  const isHere = locals.some(({ parameter }) => parameter.name === name);
  if (!isHere || !weight_shards.has(name)) return own;
  const received = await groups.dp.allGather(own, `weights ${name}`);
  return concatenate(received);
}
