/**
 * Adapters (LoRA) between our parameters, which pack the parts of a layer side by side, and the
 * tensors of PEFT: `base_model.model.LAYER.lora_A.weight` [r, in] and `.lora_B.weight` [out, r].
 */
import type { ResolvedModel } from '../config/index.ts';
import { isAdapterTensor, type LoraLayer, loraLayers } from '../model/adapter_parameters.ts';
import type { Parameter, ParameterPart } from '../model/parameters.ts';
import type { ObjectiveTensor } from './checkpoint_state.ts';
import { CheckpointError, shorten } from './error.ts';
import { copyPart, partShape } from './hf_weights.ts';

export type Tensors = ReadonlyMap<string, ObjectiveTensor>;

const hasAdapters = (tensors: Tensors): boolean => [...tensors.keys()].some(isAdapterTensor);

/** The same tensors, with adapters by PEFT's names and in PEFT's shapes. */
export function toPeftTensors(model: ResolvedModel, tensors: Tensors): Tensors {
  if (!hasAdapters(tensors)) return tensors;
  const result = new Map(tensors);
  const rankOf = ({ b }: LoraLayer): number | undefined => tensors.get(b.name)?.shape[0];
  for (const parameter of adapterParameters(model, rankOf)) {
    const tensor = tensors.get(parameter.name);
    if (!tensor) continue;
    result.delete(parameter.name);
    for (const part of parameter.parts) result.set(part.name, partOf(parameter, part, tensor.data));
  }
  return result;
}

/**
 * The same tensors, with PEFT's adapters packed as our parameters are. Throws `missing_tensor`,
 * `unexpected_tensor` or `shape_mismatch`.
 */
export function fromPeftTensors(
  model: ResolvedModel,
  tensors: Tensors,
): Map<string, ObjectiveTensor> {
  const result = new Map(tensors);
  if (!hasAdapters(tensors)) return result;
  for (const name of tensors.keys()) if (isAdapterTensor(name)) result.delete(name);
  const used = new Set<string>();
  const rankOf = ({ a }: LoraLayer): number | undefined =>
    a.parts.map(({ name }) => tensors.get(name)?.shape[0]).find((r) => r !== undefined);
  for (const parameter of adapterParameters(model, rankOf)) {
    result.set(parameter.name, packed(parameter, tensors));
    for (const { name } of parameter.parts) used.add(name);
  }
  const unknown = [...tensors.keys()].find((name) => isAdapterTensor(name) && !used.has(name));
  if (unknown === undefined) return result;
  throw new CheckpointError(
    'unexpected_tensor',
    `The adapter has weights ${shorten(unknown)}, which this model cannot have.`,
    'Bring an adapter of linear layers that was trained on this model.',
  );
}

/** lora_A and lora_B of every layer that has a rank. */
function adapterParameters(
  model: ResolvedModel,
  rankOf: (layer: LoraLayer) => number | undefined,
): Parameter[] {
  const byRank = new Map<number, LoraLayer[]>();
  const layersOf = (r: number): LoraLayer[] => {
    const layers = byRank.get(r) ?? loraLayers(model, { r, target_modules: 'all-linear' });
    byRank.set(r, layers);
    return layers;
  };
  return layersOf(1).flatMap((layer, i) => {
    const r = rankOf(layer);
    const ranked = r === undefined ? undefined : layersOf(r)[i];
    return ranked ? [ranked.a, ranked.b] : [];
  });
}

function partOf(parameter: Parameter, part: ParameterPart, values: Float32Array): ObjectiveTensor {
  const shape = partShape(parameter, part);
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  copyPart(values, data, { parameter, part, into: 'theirs' });
  return { shape, data };
}

function packed(parameter: Parameter, tensors: Tensors): ObjectiveTensor {
  const { shape, parts } = parameter;
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (const part of parts) {
    const tensor = requireShape(tensors, part.name, partShape(parameter, part));
    copyPart(tensor.data, data, { parameter, part, into: 'ours' });
  }
  return { shape, data };
}

function requireShape(
  tensors: Tensors,
  name: string,
  expected: readonly number[],
): ObjectiveTensor {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new CheckpointError(
      'missing_tensor',
      `The adapter has no ${shorten(name)}.`,
      'Bring an adapter that covers q, k and v, or gate and up, together.',
    );
  }
  if (tensor.shape.join() === expected.join()) return tensor;
  const [has, needs] = [tensor.shape, expected].map((shape) => `[${shape.join(', ')}]`);
  throw new CheckpointError(
    'shape_mismatch',
    `The adapter’s ${shorten(name)} has the shape ${has ?? ''}, but this model needs ${needs ?? ''}.`,
    'Bring an adapter that was trained on this model, with one rank for q, k and v.',
  );
}
