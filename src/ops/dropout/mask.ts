/**
 * Which values dropout keeps: a pure function of (seed, step, site, global row, column), so that 8,
 * 4x2 and two ranks of 4 rows drop the same ones, a run can be resumed, and every backend agrees
 * bit for bit. The same arithmetic stands in `random.wgsl`; change both.
 */

/**
 * Stirs one more 32-bit word into the state: two rounds of multiply and xor-shift with odd
 * constants.
 */
export function stir(state: number, word: number): number {
  let h = Math.imul(state ^ word, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit draw below which a value is dropped at this rate. */
export const dropThreshold = (rate: number): number =>
  Math.min(0xffffffff, Math.round(rate * 2 ** 32));

export interface DropoutSite {
  seed: number;
  step: number;
  /** Number of the place in the model. */
  site: number;
  rate: number;
  /** Global number of the first row. */
  first_row: number;
  rows: number;
  columns: number;
}

/** 1 / (1 - rate) where a value is kept, 0 where it is dropped, row-major [rows, columns]. */
export function dropoutMask({
  seed,
  step,
  site,
  rate,
  first_row,
  rows,
  columns,
}: DropoutSite): Float32Array {
  const mask = new Float32Array(rows * columns);
  const threshold = dropThreshold(rate);
  const scale = 1 / (1 - rate);
  const start = stir(stir(stir(0x7e11a21a, seed), step), site);
  for (let i = 0; i < rows; i++) {
    const row = stir(start, first_row + i);
    for (let j = 0; j < columns; j++) mask[i * columns + j] = stir(row, j) < threshold ? 0 : scale;
  }
  return mask;
}
