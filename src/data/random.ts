/**
 * Seeded randomness: a hash where a value must be a function of its arguments, and a generator
 * where values are drawn in order.
 */

/** Finalizer of MurmurHash3: every bit of the input affects every bit of the output. */
function mix(input: number): number {
  let bits = input;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Uniform in [0, 2^32), as a function of a list of integers. */
function hash32(...values: number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) hash = mix(Math.imul(hash, 31) + (value | 0) + 0x6d2b79f5);
  return hash;
}

/** Uniform in [0, 1) with 53 bits, as a function of a list of integers. */
export function hashUnit(...values: number[]): number {
  const high = hash32(...values, 1) >>> 5;
  const low = hash32(...values, 2) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

/**
 * The seed of one epoch of a run. Epoch 0 has the run's own; the others are hashes, so that runs of
 * neighbouring seeds have no order in common.
 */
export const epochSeed = (seed: number, epoch: number): number =>
  epoch === 0 ? seed : hash32(seed, epoch);

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
  /** @throws RangeError for an empty list. */
  pick<T>(items: readonly T[]): T;
  /** Shuffles in place (Fisher-Yates) and returns the list. */
  shuffle<T>(items: T[]): T[];
}

/** A counter-based generator: the n-th draw is a 32-bit hash of (seed, n). */
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
      if (item === undefined) throw new RangeError('Cannot pick from an empty list.');
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
