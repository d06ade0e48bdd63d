/**
 * The dropout mask as a pure function of (seed, step, site, global row, column). One micro-batch of
 * 8 sequences, two of 4 and two ranks of 4 drop the same values, a resumed run continues with the
 * same masks, and all backends agree bit for bit. `random.wgsl` implements the same arithmetic;
 * change both together.
 */

/**
 * Mixes one more 32-bit word into the state: three rounds of multiplication by an odd constant,
 * with an xor-shift after each.
 */
export function stir(state: number, word: number): number {
  let h = Math.imul(state ^ word, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The 32-bit threshold for a drop rate: a value is dropped if its random bits are below it. */
export const dropThreshold = (rate: number): number =>
  Math.min(0xffffffff, Math.round(rate * 2 ** 32));

export interface DropoutSite {
  seed: number;
  step: number;
  /** Identifies the dropout layer in the model. */
  site: number;
  /** Probability that a value is dropped, in [0, 1). */
  rate: number;
  /** Global index of the first row. */
  first_row: number;
  rows: number;
  columns: number;
}

/**
 * The mask, row-major [rows, columns]: 1 / (1 - rate) where a value is kept, 0 where it is dropped.
 */
export function dropoutMask(dropoutSite: DropoutSite): Float32Array {
  const { seed, step, site, rate, first_row, rows, columns } = dropoutSite;
  const mask = new Float32Array(rows * columns);
  const threshold = dropThreshold(rate);
  const scale = 1 / (1 - rate);
  const siteState = stir(stir(stir(0x7e11a21a, seed), step), site);
  for (let i = 0; i < rows; i++) {
    const rowState = stir(siteState, first_row + i);
    for (let j = 0; j < columns; j++)
      mask[i * columns + j] = stir(rowState, j) < threshold ? 0 : scale;
  }
  return mask;
}
