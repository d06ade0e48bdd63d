/**
 * Kernels behind the few tfjs ops that run on the engine (src/backend/processor_plain.ts). They are
 * for what has no kernel of its own, such as Muon's elementwise steps. Values are 32 bits: float32,
 * int32, or a bool as int32 0 or 1.
 */
import { intAt, pointerAt } from './inlined/args';
import { loadUpTo4, storeUpTo4 } from './inlined/lanes';
import { exp4, sigmoid4, splat, sumOf } from './inlined/simd';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. A multiple of 4. */
const CHUNK: i32 = 8192;

/** 1 where the mask is set, else 0, as int32. */
function bit(mask: v128): v128 {
  return v128.and(mask, i32x4.splat(1));
}

/**
 * The operations of `plain_unary`, in the order of UNARY in src/backend/processor_plain.ts; 8, 9 and
 * 10 are its TO_FLOAT, TO_INTEGER and TO_BOOL.
 */
function unary(operation: i32, x: v128): v128 {
  switch (operation) {
    case 0:
      return f32x4.neg(x);
    case 1:
      return f32x4.mul(x, x);
    case 2:
      return f32x4.sqrt(x);
    case 3:
      return f32x4.div(splat(1), f32x4.sqrt(x));
    case 4:
      return exp4(x);
    case 5:
      return sigmoid4(x);
    case 6:
      return v128.and(f32x4.gt(x, splat(0)), splat(1));
    case 7:
      return bit(f32x4.lt(f32x4.abs(x), splat(Infinity)));
    case 8:
      return f32x4.convert_i32x4_s(x);
    case 9:
      return i32x4.trunc_sat_f32x4_s(x);
    default:
      return bit(f32x4.ne(x, splat(0)));
  }
}

/** Writes y [n]; reads x [n]; n, operation. */
export function plain_unary(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const n = intAt(args, 2);
  const operation = intAt(args, 3);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i += 4) {
      const at = (<usize>i) << 2;
      storeUpTo4(y + at, unary(operation, loadUpTo4(x + at, end - i)), end - i);
    }
  }
}

/** The operations of `plain_binary` on float32, in the order of BINARY there. */
function binary(operation: i32, a: v128, b: v128): v128 {
  switch (operation) {
    case 0:
      return f32x4.add(a, b);
    case 1:
      return f32x4.sub(a, b);
    case 2:
      return f32x4.mul(a, b);
    case 3:
      return f32x4.div(a, b);
    case 4:
      return f32x4.max(a, b);
    case 5:
      return f32x4.min(a, b);
    case 6:
      return bit(f32x4.eq(a, b));
    case 7:
      return bit(f32x4.ne(a, b));
    case 8:
      return bit(f32x4.gt(a, b));
    case 9:
      return bit(f32x4.ge(a, b));
    case 10:
      return bit(f32x4.lt(a, b));
    default:
      return bit(f32x4.le(a, b));
  }
}

/** The same on int32, without division. */
function binaryOfIntegers(operation: i32, a: v128, b: v128): v128 {
  switch (operation) {
    case 0:
      return i32x4.add(a, b);
    case 1:
      return i32x4.sub(a, b);
    case 2:
      return i32x4.mul(a, b);
    case 4:
      return i32x4.max_s(a, b);
    case 5:
      return i32x4.min_s(a, b);
    case 6:
      return bit(i32x4.eq(a, b));
    case 7:
      return bit(i32x4.ne(a, b));
    case 8:
      return bit(i32x4.gt_s(a, b));
    case 9:
      return bit(i32x4.ge_s(a, b));
    case 10:
      return bit(i32x4.lt_s(a, b));
    default:
      return bit(i32x4.le_s(a, b));
  }
}

/** Up to four values of an operand; one value four times if it is broadcast along the row. */
function operand(address: usize, broadcast: bool, left: i32): v128 {
  return broadcast ? v128.load32_splat(address) : loadUpTo4(address, left);
}

/**
 * Writes y [rows, width]; reads a and b; rows, width, operation, whether the operands are int32,
 * then the step from row to row and from value to value of a, and those of b (0 where it is
 * broadcast).
 */
export function plain_binary(args: usize): void {
  const y = pointerAt(args, 0);
  const a = pointerAt(args, 1);
  const b = pointerAt(args, 2);
  const width = intAt(args, 4);
  const n = intAt(args, 3) * width;
  const operation = intAt(args, 5);
  const integers = intAt(args, 6) != 0;
  const aRow = intAt(args, 7);
  const aStep = intAt(args, 8);
  const bRow = intAt(args, 9);
  const bStep = intAt(args, 10);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    let i = chunk * CHUNK;
    while (i < end) {
      const row = i / width;
      const endOfRow = min(end, (row + 1) * width);
      let atA = a + ((<usize>(row * aRow + (i - row * width) * aStep)) << 2);
      let atB = b + ((<usize>(row * bRow + (i - row * width) * bStep)) << 2);
      for (; i < endOfRow; i += 4) {
        const left = endOfRow - i;
        const x = operand(atA, aStep == 0, left);
        const z = operand(atB, bStep == 0, left);
        const value = integers ? binaryOfIntegers(operation, x, z) : binary(operation, x, z);
        storeUpTo4(y + ((<usize>i) << 2), value, left);
        atA += (<usize>aStep) << 4;
        atB += (<usize>bStep) << 4;
      }
      i = endOfRow;
    }
  }
}

/** Writes y [n], a where the condition (bool) holds, else b; reads condition, a, b [n]; n. */
export function plain_select(args: usize): void {
  const y = pointerAt(args, 0);
  const condition = pointerAt(args, 1);
  const a = pointerAt(args, 2);
  const b = pointerAt(args, 3);
  const n = intAt(args, 4);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i += 4) {
      const at = (<usize>i) << 2;
      const takesA = i32x4.ne(loadUpTo4(condition + at, end - i), i32x4.splat(0));
      const x = loadUpTo4(a + at, end - i);
      const z = loadUpTo4(b + at, end - i);
      storeUpTo4(y + at, v128.bitselect(x, z, takesA), end - i);
    }
  }
}

/**
 * Writes sums [rows]; reads x [n]; rows, width, n: sum r is over values r * width to the next row or
 * to the end, in four lanes, which are added up at the end.
 */
export function plain_sum(args: usize): void {
  const sums = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const rows = intAt(args, 2);
  const width = intAt(args, 3);
  const n = intAt(args, 4);
  const rowsOfChunk = max(1, CHUNK / max(1, width));
  const chunks = chunksOf(rows, rowsOfChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * rowsOfChunk);
    for (let row = chunk * rowsOfChunk; row < end; row++) {
      const endOfRow = min(n, (row + 1) * width);
      let sum = splat(0);
      for (let i = row * width; i < endOfRow; i += 4)
        sum = f32x4.add(sum, loadUpTo4(x + ((<usize>i) << 2), endOfRow - i));
      store<f32>(sums + ((<usize>row) << 2), sumOf(sum));
    }
  }
}

/** Rows of a band of `plain_transpose`: one cache line of each column of y. */
const BAND: i32 = 16;

/** Writes y [columns, rows]; reads x [rows, columns]; rows, columns. */
export function plain_transpose(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const rows = intAt(args, 2);
  const columns = intAt(args, 3);
  const chunks = chunksOf(rows, BAND);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * BAND);
    for (let column = 0; column < columns; column++) {
      for (let row = chunk * BAND; row < end; row++) {
        const value = load<i32>(x + ((<usize>(row * columns + column)) << 2));
        store<i32>(y + ((<usize>(column * rows + row)) << 2), value);
      }
    }
  }
}

/**
 * Copies `count` pieces of `width` values each; y (written, or updated where several commands fill
 * one tensor), x; count, width, first value and step from piece to piece in y, then those in x.
 */
export function plain_copy(args: usize): void {
  const count = intAt(args, 2);
  const width = intAt(args, 3);
  const y = pointerAt(args, 0) + ((<usize>intAt(args, 4)) << 2);
  const yStep = (<usize>intAt(args, 5)) << 2;
  const x = pointerAt(args, 1) + ((<usize>intAt(args, 6)) << 2);
  const xStep = (<usize>intAt(args, 7)) << 2;
  const piecesOfChunk = max(1, CHUNK / max(1, width));
  const chunks = chunksOf(count, piecesOfChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(count, (chunk + 1) * piecesOfChunk);
    for (let piece = chunk * piecesOfChunk; piece < end; piece++)
      memory.copy(y + <usize>piece * yStep, x + <usize>piece * xStep, (<usize>width) << 2);
  }
}

/**
 * Writes y [count, width]; reads x [rows, width], indices int32 [count]; count, width, rows. An
 * index out of range gives zeros.
 */
export function plain_gather(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const indices = pointerAt(args, 2);
  const count = intAt(args, 3);
  const rows = intAt(args, 5);
  const bytes = (<usize>intAt(args, 4)) << 2;
  const rowsOfChunk = max(1, CHUNK / max(1, intAt(args, 4)));
  const chunks = chunksOf(count, rowsOfChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(count, (chunk + 1) * rowsOfChunk);
    for (let i = chunk * rowsOfChunk; i < end; i++) {
      const row = load<i32>(indices + ((<usize>i) << 2));
      const to = y + <usize>i * bytes;
      if (row >= 0 && row < rows) memory.copy(to, x + <usize>row * bytes, bytes);
      else memory.fill(to, 0, bytes);
    }
  }
}
