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

let headDim: i32 = 0;
let headBytes: usize = 0;
/** Bytes from one row of keys or values to the next. */
export let keyStride: usize = 0;
/** Bytes from one row of the target of `weightedRows` or `addWeightedQueries` to the next. */
let targetStride: usize = 0;
/** Rows that the target has: at most four are written. */
let targetRows: i32 = 0;
/** Bytes from the scores of one strip to those of the next. */
export let stripStride: usize = 0;

/** Sets the dimension of heads, in values, for the products that follow. */
export function setHeadDim(d: i32): void {
  headDim = d;
  headBytes = (<usize>d) << 2;
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

/** target [rows][d] = source [rows][d]; rows of the source are `stride` bytes apart. */
export function packRows(target: usize, source: usize, rows: i32, stride: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let at: usize = 0; at < headBytes; at += 32) {
      v128.store(target + at, v128.load(source + at));
      v128.store(target + at, v128.load(source + at, 16), 16);
    }
    target += headBytes;
    source += stride;
  }
}

/** The inverse: rows of the target are `stride` bytes apart. */
export function unpackRows(target: usize, source: usize, rows: i32, stride: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let at: usize = 0; at < headBytes; at += 32) {
      v128.store(target + at, v128.load(source + at));
      v128.store(target + at, v128.load(source + at, 16), 16);
    }
    target += stride;
    source += headBytes;
  }
}

/** Copies `count` values, at most those of a strip. */
export function copyLanes(target: usize, source: usize, count: i32): void {
  if (count >= STRIP) {
    v128.store(target, v128.load(source));
    v128.store(target, v128.load(source, 16), 16);
    return;
  }
  for (let at: usize = 0; at < (<usize>count) << 2; at += 4)
    store<f32>(target + at, load<f32>(source + at));
}

/** `packRows` for the rows of whole strips: those beyond `rows` become zero. */
export function packStrips(target: usize, source: usize, rows: i32, stride: usize): void {
  packRows(target, source, rows, stride);
  const missing = -rows & (STRIP - 1);
  memory.fill(target + <usize>rows * headBytes, 0, <usize>missing * headBytes);
}

/** Multiplies rows [rows][d] that follow each other, in place. */
export function scaleRows(at: usize, rows: i32, factor: f32): void {
  const four = splat(factor);
  const end = at + <usize>rows * headBytes;
  for (; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), four));
}

/** panel [d][8] = the transpose of rows [8][d], which follow each other. */
export function transposeStrip(rows: usize, panel: usize): void {
  const end = rows + headBytes;
  for (; rows < end; rows += 16) {
    transposeFour(rows, panel);
    transposeFour(rows + (headBytes << 2), panel + 16);
    panel += 4 * SCORE_BYTES;
  }
}

/** Transposes a block of 4 x 4 values. */
function transposeFour(rows: usize, panel: usize): void {
  const r0 = v128.load(rows);
  const r1 = v128.load(rows + headBytes);
  const r2 = v128.load(rows + (headBytes << 1));
  const r3 = v128.load(rows + headBytes + (headBytes << 1));
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(panel, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(panel, v128.shuffle<i64>(low01, low23, 1, 3), SCORE_BYTES);
  v128.store(panel, v128.shuffle<i64>(high01, high23, 0, 2), 2 * SCORE_BYTES);
  v128.store(panel, v128.shuffle<i64>(high01, high23, 1, 3), 3 * SCORE_BYTES);
}
