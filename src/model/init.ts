/**
 * Initial weights: a function of the seed and the parameter's name only, so that every backend
 * starts from the same model.
 */
import { type Parameter, parameterSize } from './parameters.ts';

/** Initial values of one parameter, row-major. */
export function initialValues(parameter: Parameter, seed: number): Float32Array {
  const values = new Float32Array(parameterSize(parameter));
  const { init } = parameter;
  switch (init.kind) {
    case 'constant':
      return values.fill(init.value);
    case 'normal':
      return fillNormal(values, init.std, uniform(hash(parameter.name, seed)));
    default:
      return init satisfies never;
  }
}

/** Normal values by Box and Muller (1958), who give two at a time. */
function fillNormal(values: Float32Array, std: number, next: () => number): Float32Array {
  for (let i = 0; i < values.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** A 32-bit hash of a text (FNV-1a). */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return value;
}

/** Uniform numbers in [0, 1) (mulberry32). */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
