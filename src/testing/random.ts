/**
 * Seeded values for cases. Every float is a float32 number, so that the oracle and the backends
 * start from the same.
 */
import type { CaseRandom, DType, HostTensor } from '../ops/index.ts';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Uniform numbers in [0, 1): a Weyl sequence, stirred. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

export function caseRandom(seed: number): CaseRandom {
  const next = uniform(seed);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const fill = (
    shape: readonly number[],
    dtype: DType,
    make: (i: number) => number,
  ): HostTensor => ({
    shape,
    dtype,
    data: Float64Array.from({ length: size(shape) }, (_v, i) => make(i)),
  });
  return {
    normal: (shape, std = 1, mean = 0) =>
      fill(shape, 'float32', () => Math.fround(mean + std * gauss())),
    ints: (shape, below) => fill(shape, 'int32', () => Math.floor(next() * below)),
    values(shape, data, dtype = 'float32') {
      if (data.length !== size(shape))
        throw new Error(`${data.length} values for the shape [${shape.join(', ')}].`);
      return fill(shape, dtype, (i) =>
        dtype === 'float32' ? Math.fround(data[i] ?? NaN) : (data[i] ?? NaN),
      );
    },
  };
}

/** A seed from a name, so that each case has its own. */
export const seedOf = (name: string): number =>
  [...name].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5);
