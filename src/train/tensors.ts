/** The tensors of a trainer, as a checkpoint keeps them. */
import type { Values } from '../backend/index.ts';
import type { Source, SourceState } from '../objectives/index.ts';
import { readLossScale } from '../optim/index.ts';
import type { TrainerParts } from './build.ts';
import type { ObjectiveTensor, TrainerState } from './state.ts';

/** What a source keeps in a checkpoint has this prefix among the objective's tensors. */
const SOURCE = 'source.';

export async function readTensors(
  parts: TrainerParts,
  source: Source,
  moments: boolean,
): Promise<Pick<TrainerState, 'parameters' | 'objective_tensors' | 'optimizer' | 'loss_scale'>> {
  const { optimizer, scaling, keptLossScale, modelParameters, stores, referenceCopy } = parts;
  const weights = floats(await stores.weights.read());
  const objective_tensors = new Map<string, ObjectiveTensor>();
  for (const { name, shape } of stores.weights.parameters) {
    const data = weights.get(name);
    if (modelParameters.has(name) || !data) continue;
    objective_tensors.set(name, { shape, data });
    weights.delete(name);
  }
  const referenceValues = referenceCopy ? floats(await referenceCopy.read()) : null;
  for (const { name, shape } of referenceCopy?.parameters ?? []) {
    const data = referenceValues?.get(name);
    if (data) objective_tensors.set(`reference.${name}`, { shape, data });
  }
  return {
    parameters: weights,
    objective_tensors: withSourceState(objective_tensors, source),
    optimizer: moments ? floats(await optimizer.state.read()) : new Map(),
    loss_scale: scaling ? await readLossScale(scaling) : keptLossScale,
  };
}

/** The objective's tensors and what the source keeps. */
export function withSourceState(
  objective_tensors: ReadonlyMap<string, ObjectiveTensor>,
  source: Source,
): Map<string, ObjectiveTensor> {
  const kept = source.state?.() ?? new Map<string, ObjectiveTensor>();
  const named = Array.from(kept, ([name, tensor]) => [SOURCE + name, tensor] as const);
  return new Map([...objective_tensors, ...named]);
}

/** What `Source.state` had returned when the state was saved; null for a run that begins. */
export function sourceState(from: TrainerState | null | undefined): SourceState | null {
  if (!from) return null;
  const kept = [...(from.objective_tensors ?? [])].filter(([name]) => name.startsWith(SOURCE));
  return new Map(kept.map(([name, tensor]) => [name.slice(SOURCE.length), tensor]));
}

function floats(values: ReadonlyMap<string, Values>): Map<string, Float32Array> {
  const entries = [...values].map(([name, data]): [string, Float32Array] => [
    name,
    data instanceof Float32Array ? data : Float32Array.from(data),
  ]);
  return new Map(entries);
}
