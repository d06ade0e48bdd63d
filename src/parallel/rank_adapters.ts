/** The adapters (LoRA) of a rank: under tensor parallelism, of its part of every layer. */
import type { Adapters } from '../model/index.ts';
import type { ObjectiveSetting } from '../objectives/index.ts';
import type { TensorPart } from './tensor_model.ts';
import { isColumnParallel } from './tensor_parameters.ts';

/** Null for a run without adapters, which does not load their code. */
export async function adaptersOfRank(
  { model, stage }: Pick<ObjectiveSetting, 'model' | 'stage'>,
  part: TensorPart | null,
): Promise<Adapters | null> {
  if (stage?.peft.peft_type !== 'lora') return null;
  const { LoraAdapters } = await import('../model/adapters.ts');
  const { loraLayers } = await import('../model/adapter_parameters.ts');
  const layers = loraLayers(model, stage.peft).map((layer) => {
    if (!part || !isColumnParallel(layer.name)) return layer;
    return { ...layer, parts: layer.parts.map((columns) => columns / part.tp) };
  });
  return new LoraAdapters(model, stage.peft, layers);
}
