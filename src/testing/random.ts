/**
 * Seeded values for test cases. All floats are float32 numbers, so that the oracle and the backends
 * start from the same values.
 */
import type { CaseRandom, DType, HostTensor } from '../ops/index.ts';

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Uniform numbers in [0, 1): a Weyl sequence with a mixing function. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

function fill(
  shape: readonly number[],
  dtype: DType,
  valueAt: (index: number) => number,
): HostTensor {
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => valueAt(i));
  return { shape, dtype, data };
}

export function caseRandom(seed: number): CaseRandom {
  const next = uniform(seed);
  /** Box-Muller transform. */
  const gaussian = (): number =>
    Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    normal: (shape, std = 1, mean = 0) =>
      fill(shape, 'float32', () => Math.fround(mean + std * gaussian())),
    ints: (shape, below) => fill(shape, 'int32', () => Math.floor(next() * below)),
    values(shape, data, dtype = 'float32') {
      if (data.length !== sizeOf(shape))
        throw new Error(`${data.length} values for the shape [${shape.join(', ')}].`);
      return fill(shape, dtype, (i) => {
        const value = data[i] ?? NaN;
        return dtype === 'float32' ? Math.fround(value) : value;
      });
    },
  };
}

/** A seed from a name (FNV-1a), so that each case has its own. */
export function seedOf(name: string): number {
  return [...name].reduce(
    (hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0,
    0x811c9dc5,
  );
}
