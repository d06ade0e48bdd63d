/** Generation with weights that are not those being trained, such as those of the best checkpoint. */
import { Generator } from '../model/generate.ts';
import { listParameters, type ModelStores, Weights } from '../model/index.ts';

export interface OtherGenerator extends Pick<Generator, 'generateRows'> {
  /** Frees its weights and programs. */
  dispose(): void;
}

/** Copies the parameters to the device. Throws RangeError if one is missing. */
export async function generatorOf(
  { model, rotary }: Pick<ModelStores, 'model' | 'rotary'>,
  parameters: ReadonlyMap<string, Float32Array>,
): Promise<OtherGenerator> {
  const listed = listParameters(model);
  const missing = listed.find(({ name }) => !parameters.has(name));
  if (missing) throw new RangeError(`The weights have no ${missing.name}.`);
  const weights = new Weights(listed, () => false);
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
