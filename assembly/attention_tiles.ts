/**
 * The products of attention, for a strip of eight queries at a time. Scores and weights of a strip
 * are stored key by key, the eight queries beside each other: [keys][8]. So the maximum and the sum
 * of a softmax are taken lane by lane, and all products read their operands in order:
 *
 * - `scores`: keys [n][d] times queries [d][8];
 * - `weightedRows`: weights [n][8], transposed, times values [n][d];
 * - `addWeightedQueries`: weights [keys][8] of several strips times rows of queries [8][d].
 *
 * Each holds a tile of 4 x 8 sums in registers. The dimension d is a multiple of eight.
 */
import { fma, splat } from './inlined/simd';

/** Queries of a strip. */
export const STRIP: i32 = 8;
/** Bytes of a row of scores: one value for each query of a strip. */
export const SCORE_BYTES: usize = 32;

/** Bytes of a row: d values. */
let headBytes: usize = 0;
/** Bytes from one row of keys or values to the next. */
export let keyStride: usize = 0;
/** Bytes from one row of the target of `weightedRows` or `addWeightedQueries` to the next. */
let targetStride: usize = 0;
/** Rows that the target has: at most four are written. */
let targetRows: i32 = 0;
/** Bytes from the scores of one strip to those of the next. */
export let stripStride: usize = 0;

/** Sets the size of heads, in bytes, for the products that follow. */
export function setHeadBytes(bytes: usize): void {
  headBytes = bytes;
}

/** Sets the distance of keys (and of values), in bytes. */
export function setKeyStride(stride: usize): void {
  keyStride = stride;
}

/** Sets the distance of a target's rows, in bytes. */
export function setTargetStride(stride: usize): void {
  targetStride = stride;
}

/** Sets how many rows the next target has; further ones are not written. */
export function setTargetRows(rows: i32): void {
  targetRows = rows;
}

/** Sets the distance of the scores of two strips, in bytes. */
export function setStripStride(stride: usize): void {
  stripStride = stride;
}

/**
 * target [n][8] = keys [n][d] times panel [d][8]. Writes n rounded up to four rows; the further ones
 * repeat the last key.
 */
export function scores(keys: usize, n: i32, panel: usize, target: usize): void {
  const last = keys + <usize>(n - 1) * keyStride;
  const end = panel + (headBytes << 3);
  for (let key = keys; key <= last; key += keyStride << 2) {
    let key0 = key;
    let key1 = min(key + keyStride, last);
    let key2 = min(key + (keyStride << 1), last);
    let key3 = min(key + keyStride + (keyStride << 1), last);
    let s00 = splat(0);
    let s01 = splat(0);
    let s10 = splat(0);
    let s11 = splat(0);
    let s20 = splat(0);
    let s21 = splat(0);
    let s30 = splat(0);
    let s31 = splat(0);
    for (let q = panel; q < end; q += 64) {
      let q0 = v128.load(q);
      let q1 = v128.load(q, 16);
      let k = v128.load32_splat(key0);
      s00 = fma(k, q0, s00);
      s01 = fma(k, q1, s01);
      k = v128.load32_splat(key1);
      s10 = fma(k, q0, s10);
      s11 = fma(k, q1, s11);
      k = v128.load32_splat(key2);
      s20 = fma(k, q0, s20);
      s21 = fma(k, q1, s21);
      k = v128.load32_splat(key3);
      s30 = fma(k, q0, s30);
      s31 = fma(k, q1, s31);
      q0 = v128.load(q, 32);
      q1 = v128.load(q, 48);
      k = v128.load32_splat(key0, 4);
      s00 = fma(k, q0, s00);
      s01 = fma(k, q1, s01);
      k = v128.load32_splat(key1, 4);
      s10 = fma(k, q0, s10);
      s11 = fma(k, q1, s11);
      k = v128.load32_splat(key2, 4);
      s20 = fma(k, q0, s20);
      s21 = fma(k, q1, s21);
      k = v128.load32_splat(key3, 4);
      s30 = fma(k, q0, s30);
      s31 = fma(k, q1, s31);
      key0 += 8;
      key1 += 8;
      key2 += 8;
      key3 += 8;
    }
    v128.store(target, s00);
    v128.store(target, s01, 16);
    v128.store(target, s10, 32);
    v128.store(target, s11, 48);
    v128.store(target, s20, 64);
    v128.store(target, s21, 80);
    v128.store(target, s30, 96);
    v128.store(target, s31, 112);
    target += 4 * SCORE_BYTES;
  }
}

/**
 * target [4][d] = the transpose of the first four columns of weights [n][8], times values [n][d],
 * each row multiplied by its factor of `factors` [4]. Pass weights + 16 for the other four queries.
 */
export function weightedRows(weights: usize, n: i32, values: usize, target: usize): void {
  const end = weights + <usize>n * SCORE_BYTES;
  const last = values + headBytes;
  for (; values < last; values += 32) {
    let value = values;
    let y00 = splat(0);
    let y01 = splat(0);
    let y10 = splat(0);
    let y11 = splat(0);
    let y20 = splat(0);
    let y21 = splat(0);
    let y30 = splat(0);
    let y31 = splat(0);
    for (let w = weights; w < end; w += SCORE_BYTES) {
      const v0 = v128.load(value);
      const v1 = v128.load(value, 16);
      let p = v128.load32_splat(w);
      y00 = fma(p, v0, y00);
      y01 = fma(p, v1, y01);
      p = v128.load32_splat(w, 4);
      y10 = fma(p, v0, y10);
      y11 = fma(p, v1, y11);
      p = v128.load32_splat(w, 8);
      y20 = fma(p, v0, y20);
      y21 = fma(p, v1, y21);
      p = v128.load32_splat(w, 12);
      y30 = fma(p, v0, y30);
      y31 = fma(p, v1, y31);
      value += keyStride;
    }
    let row = target;
    storeScaled(row, y00, y01, 0);
    row += targetStride;
    if (targetRows > 1) storeScaled(row, y10, y11, 4);
    row += targetStride;
    if (targetRows > 2) storeScaled(row, y20, y21, 8);
    row += targetStride;
    if (targetRows > 3) storeScaled(row, y30, y31, 12);
    target += 32;
  }
}

/** Address of the factors of the rows that `weightedRows` writes. */
let factors: usize = 0;

/** Sets the address of four factors, one for each row that `weightedRows` writes. */
export function setFactors(address: usize): void {
  factors = address;
}

function storeScaled(row: usize, low: v128, high: v128, factorAt: usize): void {
  const factor = v128.load32_splat(factors + factorAt);
  v128.store(row, f32x4.mul(low, factor));
  v128.store(row, f32x4.mul(high, factor), 16);
}

/**
 * target [4][d] += weights [4][8] of each strip times that strip's rows [8][d]; the rows of the
 * strips follow each other.
 */
export function addWeightedQueries(target: usize, weights: usize, strips: i32, rows: usize): void {
  const end = weights + <usize>strips * stripStride;
  const row1 = targetRows > 1 ? targetStride : 0;
  const row2 = targetRows > 2 ? targetStride << 1 : 0;
  const row3 = targetRows > 3 ? targetStride + (targetStride << 1) : 0;
  const last = rows + headBytes;
  for (; rows < last; rows += 32) {
    // Rows that the target does not have repeat the first one and are stored before it.
    let t00 = v128.load(target);
    let t01 = v128.load(target, 16);
    let t10 = v128.load(target + row1);
    let t11 = v128.load(target + row1, 16);
    let t20 = v128.load(target + row2);
    let t21 = v128.load(target + row2, 16);
    let t30 = v128.load(target + row3);
    let t31 = v128.load(target + row3, 16);
    let row = rows;
    for (let strip = weights; strip < end; strip += stripStride) {
      for (let w = strip; w < strip + SCORE_BYTES; w += 4) {
        const r0 = v128.load(row);
        const r1 = v128.load(row, 16);
        let p = v128.load32_splat(w);
        t00 = fma(p, r0, t00);
        t01 = fma(p, r1, t01);
        p = v128.load32_splat(w, 32);
        t10 = fma(p, r0, t10);
        t11 = fma(p, r1, t11);
        p = v128.load32_splat(w, 64);
        t20 = fma(p, r0, t20);
        t21 = fma(p, r1, t21);
        p = v128.load32_splat(w, 96);
        t30 = fma(p, r0, t30);
        t31 = fma(p, r1, t31);
        row += headBytes;
      }
    }
    v128.store(target + row3, t30);
    v128.store(target + row3, t31, 16);
    v128.store(target + row2, t20);
    v128.store(target + row2, t21, 16);
    v128.store(target + row1, t10);
    v128.store(target + row1, t11, 16);
    v128.store(target, t00);
    v128.store(target, t01, 16);
    target += 32;
  }
}
