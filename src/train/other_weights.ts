/** Generation with weights that are not those being trained, such as those of the best checkpoint. */
import { Float16Storage } from '../model/frozen_float16.ts';
import { Generator } from '../model/generate.ts';
import { listParameters, type ModelStores, Weights } from '../model/index.ts';

export interface OtherGenerator extends Pick<Generator, 'generateRows'> {
  /** Frees its weights and programs. */
  dispose(): void;
}

/**
 * Copies the parameters to the device, in float16 if the run keeps its frozen ones so. Throws
 * RangeError if one is missing.
 */
export async function generatorOf(
  { model, rotary, weights: trained }: Pick<ModelStores, 'model' | 'rotary' | 'weights'>,
  parameters: ReadonlyMap<string, Float32Array>,
): Promise<OtherGenerator> {
  const listed = listParameters(model);
  const missing = listed.find(({ name }) => !parameters.has(name));
  if (missing) throw new RangeError(`The weights have no ${missing.name}.`);
  const isFloat16 = trained.frozen?.specs.some(({ storage }) => storage === 'float16') ?? false;
  const storage = isFloat16 ? new Float16Storage({ keeps_originals: false }) : null;
  const weights = new Weights(listed, () => false, null, storage);
  for (const { name } of listed) {
    const values = parameters.get(name);
    if (values) weights.write(name, values);
  }
  let generator: Generator;
  try {
    generator = await Generator.create(model, weights, rotary);
  } catch (error) {
    weights.dispose();
    throw error;
  }
  return {
    generateRows: (prompts, options) => generator.generateRows(prompts, options),
    dispose: () => {
      generator.dispose();
      weights.dispose();
    },
  };
}
