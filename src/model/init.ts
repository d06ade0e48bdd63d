/**
 * First weights: a function of the seed and the parameter's name alone, so that every backend
 * starts from the same model.
 */
import { parameterSize, type Parameter } from './parameters.ts';

/** A 32-bit hash of a text (FNV-1a). */
function hash(text: string, seed: number): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** Uniform numbers in [0, 1) (mulberry32). */
function uniform(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values of one parameter, row-major. Normals by Box and Muller (1958), both of each pair used. */
export function initialValues(parameter: Parameter, seed: number): Float32Array {
  const values = new Float32Array(parameterSize(parameter));
  const { init } = parameter;
  switch (init.kind) {
    case 'constant':
      return values.fill(init.value);
    case 'normal': {
      const next = uniform(hash(parameter.name, seed));
      for (let i = 0; i < values.length; i += 2) {
        const r = init.std * Math.sqrt(-2 * Math.log(1 - next()));
        const angle = 2 * Math.PI * next();
        values[i] = r * Math.cos(angle);
        if (i + 1 < values.length) values[i + 1] = r * Math.sin(angle);
      }
      return values;
    }
    default:
      return init satisfies never;
  }
}
