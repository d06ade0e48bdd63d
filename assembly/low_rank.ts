/**
 * Low-rank updates of linear layers (LoRA): y [n, out] = base + scale h b, with h [n, parts r] and
 * b [r, out]. The output features are parts side by side; part p multiplies the columns
 * [p r, (p + 1) r) of h by its columns of b.
 */
import { addressOf, floatAt, intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf, sumsOfFour } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/** Output features of a block. */
const BLOCK: i32 = 16;

let rows: i32 = 0;
let outputs: i32 = 0;
let rank: i32 = 0;
let factor: f32 = 0;
let parts: i32 = 0;
/** Address of the base less that of y. */
let difference: usize = 0;
/** Whether the gradient of b is added to what is there. */
let adding: bool = false;
/** Address of the output feature at which the first part ends; the others follow. */
let ends: usize = 0;

/** Reads the parameters that all kernels have after their tensors: n, out, r, scale, parts, ends. */
function readParameters(args: usize, first: usize): void {
  rows = intAt(args, first);
  outputs = intAt(args, first + 1);
  rank = intAt(args, first + 2);
  factor = floatAt(args, first + 3);
  parts = intAt(args, first + 4);
  ends = args + ((first + 5) << 2);
}

/** The output feature at which a part ends; that of part -1 is 0. */
function endOf(part: i32): i32 {
  return part < 0 ? 0 : load<i32>(addressOf(ends, part));
}

/** y [n, out]; base [n, out], h [n, parts r], b [r, out]; n, out, r, scale, parts, ends. */
export function low_rank_add(args: usize): void {
  const y = pointerAt(args, 0);
  difference = pointerAt(args, 1) - y;
  const h = pointerAt(args, 2);
  const b = pointerAt(args, 3);
  readParameters(args, 4);
  const size = rowsOfChunk(outputs * min(rank, 8));
  const chunks = chunksOf(rows, size);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * size);
    for (let row = chunk * size; row < end; row++) {
      const to = addressOf(y, row * outputs);
      for (let part = 0; part < parts; part++) {
        addPart(to, addressOf(h, (row * parts + part) * rank), b, part);
      }
    }
  }
}

/** One part of a row of y; h is the row's columns of the part. */
function addPart(y: usize, h: usize, b: usize, part: i32): void {
  const base = y + difference;
  const end = endOf(part);
  const width = (<usize>outputs) << 2;
  const last = h + ((<usize>rank) << 2);
  const scale = splat(factor);
  let column = endOf(part - 1);
  for (; column + BLOCK <= end; column += BLOCK) {
    const at = (<usize>column) << 2;
    let from = b + at;
    let s0 = splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let k = h; k < last; k += 4, from += width) {
      const value = v128.load32_splat(k);
      s0 = fma(value, v128.load(from), s0);
      s1 = fma(value, v128.load(from, 16), s1);
      s2 = fma(value, v128.load(from, 32), s2);
      s3 = fma(value, v128.load(from, 48), s3);
    }
    v128.store(y + at, fma(scale, s0, v128.load(base + at)));
    v128.store(y + at, fma(scale, s1, v128.load(base + at, 16)), 16);
    v128.store(y + at, fma(scale, s2, v128.load(base + at, 32)), 32);
    v128.store(y + at, fma(scale, s3, v128.load(base + at, 48)), 48);
  }
  for (; column < end; column++) {
    const at = (<usize>column) << 2;
    let sum: f32 = 0;
    let from = b + at;
    for (let k = h; k < last; k += 4, from += width) sum += load<f32>(k) * load<f32>(from);
    store<f32>(y + at, load<f32>(base + at) + factor * sum);
  }
}

/** dh [n, parts r]; dy [n, out], b [r, out]; n, out, r, scale, parts, ends. */
export function low_rank_grad_h(args: usize): void {
  const dh = pointerAt(args, 0);
  const dy = pointerAt(args, 1);
  const b = pointerAt(args, 2);
  readParameters(args, 3);
  const size = rowsOfChunk(outputs * min(rank, 8));
  const chunks = chunksOf(rows, size);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * size);
    for (let row = chunk * size; row < end; row++) {
      for (let part = 0; part < parts; part++) {
        const to = addressOf(dh, (row * parts + part) * rank);
        gradientOfH(to, addressOf(dy, row * outputs), b, part);
      }
    }
  }
}

/** One part of a row of dh: products of dy with the rows of b, four rows at a time. */
function gradientOfH(to: usize, dy: usize, b: usize, part: i32): void {
  const begin = (<usize>endOf(part - 1)) << 2;
  const end = (<usize>endOf(part)) << 2;
  const width = (<usize>outputs) << 2;
  const scale = splat(factor);
  let k = 0;
  for (; k + 4 <= rank; k += 4) {
    const b0 = b + <usize>k * width;
    const b1 = b0 + width;
    const b2 = b1 + width;
    const b3 = b2 + width;
    let s0 = splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let at = begin;
    for (; at + 16 <= end; at += 16) {
      const d = v128.load(dy + at);
      s0 = fma(d, v128.load(b0 + at), s0);
      s1 = fma(d, v128.load(b1 + at), s1);
      s2 = fma(d, v128.load(b2 + at), s2);
      s3 = fma(d, v128.load(b3 + at), s3);
    }
    for (; at < end; at += 4) {
      const d = v128.load32_zero(dy + at);
      s0 = fma(d, v128.load32_zero(b0 + at), s0);
      s1 = fma(d, v128.load32_zero(b1 + at), s1);
      s2 = fma(d, v128.load32_zero(b2 + at), s2);
      s3 = fma(d, v128.load32_zero(b3 + at), s3);
    }
    v128.store(addressOf(to, k), f32x4.mul(scale, sumsOfFour(s0, s1, s2, s3)));
  }
  for (; k < rank; k++) {
    const from = b + <usize>k * width;
    let sum = splat(0);
    let at = begin;
    for (; at + 16 <= end; at += 16) sum = fma(v128.load(dy + at), v128.load(from + at), sum);
    for (; at < end; at += 4) {
      sum = fma(v128.load32_zero(dy + at), v128.load32_zero(from + at), sum);
    }
    store<f32>(addressOf(to, k), factor * sumOf(sum));
  }
}

/** db [r, out]; h [n, parts r], dy [n, out]; n, out, r, scale, parts, ends. */
export function low_rank_grad_b(args: usize): void {
  adding = false;
  gradientOfB(args);
}

/** The same, added to db. */
export function low_rank_grad_b_add(args: usize): void {
  adding = true;
  gradientOfB(args);
}

/** A chunk is a block of one part's columns and all rows of db. */
function gradientOfB(args: usize): void {
  const db = pointerAt(args, 0);
  const h = pointerAt(args, 1);
  const dy = pointerAt(args, 2);
  readParameters(args, 3);
  let blocks = 0;
  for (let part = 0; part < parts; part++) {
    blocks += chunksOf(endOf(part) - endOf(part - 1), BLOCK);
  }
  for (let chunk = claim(); chunk < blocks; chunk = claim()) {
    let part = 0;
    let block = chunk;
    for (; ; part++) {
      const count = chunksOf(endOf(part) - endOf(part - 1), BLOCK);
      if (block < count) break;
      block -= count;
    }
    const column = endOf(part - 1) + block * BLOCK;
    const columns = min(BLOCK, endOf(part) - column);
    const from = addressOf(h, part * rank);
    const to = addressOf(db, column);
    const dyBlock = addressOf(dy, column);
    for (let k = 0; k < rank; k++) {
      const row = to + ((<usize>(k * outputs)) << 2);
      if (columns == BLOCK) blockOfB(row, addressOf(from, k), dyBlock);
      else columnsOfB(row, addressOf(from, k), dyBlock, columns);
    }
  }
}

/** Sixteen values of a row of db, over all rows of h and dy. */
function blockOfB(to: usize, h: usize, dy: usize): void {
  const end = rows;
  const step = (<usize>(parts * rank)) << 2;
  const width = (<usize>outputs) << 2;
  let s0 = splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let row = 0; row < end; row++, h += step, dy += width) {
    const value = v128.load32_splat(h);
    s0 = fma(value, v128.load(dy), s0);
    s1 = fma(value, v128.load(dy, 16), s1);
    s2 = fma(value, v128.load(dy, 32), s2);
    s3 = fma(value, v128.load(dy, 48), s3);
  }
  storeScaled(to, s0);
  storeScaled(to + 16, s1);
  storeScaled(to + 32, s2);
  storeScaled(to + 48, s3);
}

function storeScaled(to: usize, sum: v128): void {
  let value = f32x4.mul(splat(factor), sum);
  if (adding) value = f32x4.add(value, v128.load(to));
  v128.store(to, value);
}

/** Fewer than sixteen values of a row of db. */
function columnsOfB(to: usize, h: usize, dy: usize, columns: i32): void {
  for (let column = 0; column < columns; column++) {
    let sum: f32 = 0;
    for (let row = 0; row < rows; row++) {
      const value = load<f32>(addressOf(h, row * parts * rank));
      sum += value * load<f32>(addressOf(dy, row * outputs + column));
    }
    const at = addressOf(to, column);
    store<f32>(at, factor * sum + (adding ? load<f32>(at) : 0));
  }
}
