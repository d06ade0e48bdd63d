/**
 * Initial weights: a function of the seed and the parameter's name only, so that every backend
 * starts from the same model.
 */
import { fillNormal, fillUniform } from './normal.ts';
import { type Parameter, parameterSize } from './parameters.ts';

/**
 * Initial values of one parameter, row-major, in the first values of `memory`. Callers that copy
 * them pass the same memory for all parameters: new memory costs a quarter of the time of drawing.
 */
export function initialValues(
  parameter: Pick<Parameter, 'name' | 'shape' | 'init'>,
  seed: number,
  memory = new Float32Array(parameterSize(parameter)),
): Float32Array {
  const values = memory.subarray(0, parameterSize(parameter));
  const { init } = parameter;
  switch (init.kind) {
    case 'constant':
      return values.fill(init.value);
    case 'normal':
      return fillNormal(values, init.std, hash(parameter.name, seed));
    case 'uniform':
      return fillUniform(values, init.bound, hash(parameter.name, seed));
    default:
      return init satisfies never;
  }
}

/** A 32-bit hash of a text (FNV-1a). */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return value;
}
