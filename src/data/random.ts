/**
 * Seeded randomness: a hash for what must be a function of its arguments, a generator for what is
 * drawn in order.
 */

/**
 * Avalanche of 32 bits (the finalizer of MurmurHash3): every bit of the input moves every bit of
 * the output.
 */
function mix(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform 32 bits as a function of a list of integers. */
export function hash32(...values: number[]): number {
  let h = 0x9e3779b9;
  for (const value of values) h = mix(Math.imul(h, 31) + (value | 0) + 0x6d2b79f5);
  return h;
}

/** Uniform in [0, 1) as a function of a list of integers, 53 bits. */
export function hashUnit(...values: number[]): number {
  const high = hash32(...values, 1) >>> 5;
  const low = hash32(...values, 2) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
  pick<T>(items: readonly T[]): T;
  /** Shuffles in place (Fisher-Yates). */
  shuffle<T>(items: T[]): T[];
}

/** A counter-based generator: the n-th draw is a hash of (seed, n), 32 bits of it. */
export function seededRandom(seed: number): Random {
  const base = hash32(seed);
  let count = 0;
  const unit = () => mix(base ^ mix(Math.imul(++count, 0x9e3779b9))) / 2 ** 32;
  const below = (n: number) => Math.floor(unit() * n);
  return {
    unit,
    below,
    pick<T>(items: readonly T[]): T {
      const index = below(items.length);
      const item = items[index];
      if (item === undefined) throw new RangeError('pick from an empty list');
      return item;
    },
    shuffle<T>(items: T[]): T[] {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [items[i], items[j]] = [items[j] as T, items[i] as T];
      }
      return items;
    },
  };
}
