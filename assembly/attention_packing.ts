/** Copies of rows for attention: packed without gaps, scaled, transposed. */
import { splat } from './inlined/simd';
import { headBytes } from './attention_shape';
import { SCORE_BYTES, STRIP } from './attention_tiles';

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
