/**
 * Packs parts of A and B into panels, from which the tiles of C are computed: `TILE_ROWS` rows of A
 * or `TILE_COLUMNS` columns of B, step after step of K. A last panel of at most four rows or columns
 * is four wide. A panel that reaches beyond the matrix repeats the last row or column, whose results
 * are not stored.
 */
import { addressOf } from './inlined/args';
import {
  A,
  B,
  firstStep,
  K,
  M,
  N,
  steps,
  TILE_COLUMNS,
  TILE_ROWS,
  transposeA,
  transposeB,
} from './products_state';

/** Bytes between two steps of K in `packAlong`, and between two rows or columns in `packAcross`. */
let stride: usize = 0;
/** Rows or columns of a panel, except the last. */
let fullWidth: i32 = 0;

/** Packs the rows [first, end) of op(A). */
export function packRows(target: usize, first: i32, end: i32): void {
  fullWidth = TILE_ROWS;
  if (transposeA) {
    stride = addressOf(0, M);
    packAlong(target, addressOf(A, firstStep * M + first), end - first);
  } else {
    stride = addressOf(0, K);
    packAcross(target, addressOf(A, first * K + firstStep), end - first);
  }
}

/** Packs the columns [first, end) of op(B). */
export function packColumns(target: usize, first: i32, end: i32): void {
  fullWidth = TILE_COLUMNS;
  if (transposeB) {
    stride = addressOf(0, K);
    packAcross(target, addressOf(B, first * K + firstStep), end - first);
  } else {
    stride = addressOf(0, N);
    packAlong(target, addressOf(B, firstStep * N + first), end - first);
  }
}

/** Width of the next panel if `left` rows or columns remain. */
function widthOf(left: i32): i32 {
  return left > 4 ? fullWidth : 4;
}

/** Steps of K that are copied from all panels before the next: their lines stay in the cache. */
const STEPS_AT_ONCE: i32 = 16;

/** Packs `size` rows or columns that are neighbours in memory. */
function packAlong(target: usize, source: usize, size: i32): void {
  for (let step = 0; step < steps; step += STEPS_AT_ONCE) {
    const count = min(STEPS_AT_ONCE, steps - step);
    for (let i = 0; i < size; i += fullWidth) {
      const width = widthOf(size - i);
      const to = addressOf(target, i * steps + step * width);
      const from = addressOf(source + <usize>step * stride, i);
      if (size - i < width) copyLast(to, from, count, size - i);
      else if (width == 8) copyEights(to, from, count);
      else if (width == 6) copySixes(to, from, count);
      else copyFours(to, from, count);
    }
  }
}

function copyEights(target: usize, source: usize, count: i32): void {
  const next = stride;
  for (; count > 0; count--) {
    v128.store(target, v128.load(source));
    v128.store(target, v128.load(source, 16), 16);
    target += 32;
    source += next;
  }
}

function copySixes(target: usize, source: usize, count: i32): void {
  const next = stride;
  for (; count > 0; count--) {
    v128.store(target, v128.load(source));
    store<i64>(target, load<i64>(source, 16), 16);
    target += 24;
    source += next;
  }
}

function copyFours(target: usize, source: usize, count: i32): void {
  const next = stride;
  for (; count > 0; count--) {
    v128.store(target, v128.load(source));
    target += 16;
    source += next;
  }
}

/** A panel of which only `size` rows or columns exist. */
function copyLast(target: usize, source: usize, count: i32, size: i32): void {
  const width = widthOf(size);
  for (; count > 0; count--) {
    for (let i = 0; i < width; i++)
      store<f32>(addressOf(target, i), load<f32>(addressOf(source, min(i, size - 1))));
    target = addressOf(target, width);
    source += stride;
  }
}

/** Packs `size` rows or columns whose steps of K are neighbours in memory. */
function packAcross(target: usize, source: usize, size: i32): void {
  for (let i = 0; i < size; i += fullWidth) {
    const left = size - i;
    const width = widthOf(left);
    const to = addressOf(target, i * steps);
    const from = source + <usize>i * stride;
    transposeFours(to, from, left, width);
    if (width == 8) transposeFours(to + 16, rowOf(from, 4, left), left - 4, width);
    if (width == 6) transposeTwos(to + 16, rowOf(from, 4, left), left - 4);
  }
}

/** Address of row `i`, or of the last one of `size`. */
function rowOf(source: usize, i: i32, size: i32): usize {
  return source + <usize>min(i, size - 1) * stride;
}

/** Writes four rows, of which `size` exist, to four neighbouring columns of a panel. */
function transposeFours(target: usize, source: usize, size: i32, width: i32): void {
  const next = addressOf(0, width);
  let row0 = source;
  let row1 = rowOf(source, 1, size);
  let row2 = rowOf(source, 2, size);
  let row3 = rowOf(source, 3, size);
  let step = 0;
  for (; step + 4 <= steps; step += 4) {
    const r0 = v128.load(row0);
    const r1 = v128.load(row1);
    const r2 = v128.load(row2);
    const r3 = v128.load(row3);
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(target, v128.shuffle<i64>(low01, low23, 0, 2));
    target += next;
    v128.store(target, v128.shuffle<i64>(low01, low23, 1, 3));
    target += next;
    v128.store(target, v128.shuffle<i64>(high01, high23, 0, 2));
    target += next;
    v128.store(target, v128.shuffle<i64>(high01, high23, 1, 3));
    target += next;
    row0 += 16;
    row1 += 16;
    row2 += 16;
    row3 += 16;
  }
  for (; step < steps; step++) {
    store<f32>(target, load<f32>(row0));
    store<f32>(target, load<f32>(row1), 4);
    store<f32>(target, load<f32>(row2), 8);
    store<f32>(target, load<f32>(row3), 12);
    target += next;
    row0 += 4;
    row1 += 4;
    row2 += 4;
    row3 += 4;
  }
}

/** Writes two rows, of which `size` exist, to the last two columns of a panel of six. */
function transposeTwos(target: usize, source: usize, size: i32): void {
  let row0 = source;
  let row1 = rowOf(source, 1, size);
  let step = 0;
  for (; step + 4 <= steps; step += 4) {
    const r0 = v128.load(row0);
    const r1 = v128.load(row1);
    const low = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    v128.store_lane<i64>(target, low, 0);
    v128.store_lane<i64>(target, low, 1, 24);
    v128.store_lane<i64>(target, high, 0, 48);
    v128.store_lane<i64>(target, high, 1, 72);
    target += 96;
    row0 += 16;
    row1 += 16;
  }
  for (; step < steps; step++) {
    store<f32>(target, load<f32>(row0));
    store<f32>(target, load<f32>(row1), 4);
    target += 24;
    row0 += 4;
    row1 += 4;
  }
}
