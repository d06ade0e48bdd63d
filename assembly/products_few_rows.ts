/**
 * Products with few rows of A, as in generation: B is read once, as it is stored, and nothing is
 * packed. Chunks divide the columns of C.
 */
import { addressOf } from './inlined/args';
import { fma, splat, sumsOfFour } from './inlined/simd';
import { activateEdge, chooseAddend, hasActivation, storeEdge } from './products_epilogue';
import { setStrideOfC } from './products_layout';
import { A, B, bias, C, K, M, N, transposeA, transposeB } from './products_state';
import { claim, scratch } from './threads';

/** The most rows for B as stored, and transposed; with more, packed tiles are faster. */
const MAX_ROWS: i32 = 3;
const MAX_ROWS_TRANSPOSED: i32 = 5;
/** Columns of a chunk, whose sums are in the scratch memory. */
const MIN_COLUMNS: i32 = 32;
const MAX_COLUMNS: i32 = 1024;
/** Multiply-adds of a chunk: a few microseconds. */
const CHUNK_WORK: i32 = 32_000;
/** Chunks of a product with much work. */
const CHUNKS: i32 = 16;

/** Whether these kernels compute the product. */
export function hasFewRows(): bool {
  if (!transposeB) return M <= MAX_ROWS;
  // Rows of A that are not contiguous are left to the tiles.
  return M == 1 || (M <= MAX_ROWS_TRANSPOSED && !transposeA);
}

/** The columns of the current chunk. */
let firstColumn: i32 = 0;
let width: i32 = 0;
/** Floats between the sums of two rows. */
let strideOfSums: i32 = 0;

export function multiplyFewRows(): void {
  setStrideOfC(addressOf(0, N));
  chooseAddend(true);
  const columns = columnsOfChunk();
  strideOfSums = columns;
  for (let chunk = claim(); chunk * columns < N; chunk = claim()) {
    firstColumn = chunk * columns;
    width = min(columns, N - firstColumn);
    if (transposeB) sumRowsOfB();
    else addRowsOfB();
    for (let row = 0; row < M; row++) finishRow(row);
  }
}

function columnsOfChunk(): i32 {
  const byWork = CHUNK_WORK / (M * K) + 1;
  const columns = max(max(byWork, (N + CHUNKS - 1) / CHUNKS), MIN_COLUMNS);
  return min(MAX_COLUMNS, (columns + 15) & ~15);
}

function sumsOf(row: i32): usize {
  return addressOf(scratch(), row * strideOfSums);
}

/** Adds the bias and the addend, stores C, and applies the activation. */
function finishRow(row: i32): void {
  const sums = sumsOf(row);
  const c = addressOf(C, row * N + firstColumn);
  if (bias) {
    for (let i = 0; i < width; i++) {
      const sum = addressOf(sums, i);
      store<f32>(sum, load<f32>(sum) + load<f32>(addressOf(bias, firstColumn + i)));
    }
  }
  storeEdge(sums, c, 1, width);
  if (hasActivation()) activateEdge(c, 1, width);
}

/** B [N, K]: every sum is a product of two rows. */
function sumRowsOfB(): void {
  for (let i = 0; i < width; i += 4) {
    const left = width - i;
    for (let row = 0; row < M; row++)
      multiplyFour(addressOf(sumsOf(row), i), addressOf(A, row * K), firstColumn + i, left);
  }
}

/**
 * Writes the products of `a` with four rows of B, of which only `left` may exist: the last is then
 * repeated.
 */
function multiplyFour(sums: usize, a: usize, column: i32, left: i32): void {
  let b0 = addressOf(B, column * K);
  let b1 = addressOf(B, (column + min(1, left - 1)) * K);
  let b2 = addressOf(B, (column + min(2, left - 1)) * K);
  let b3 = addressOf(B, (column + min(3, left - 1)) * K);
  let even0 = splat(0);
  let even1 = even0;
  let even2 = even0;
  let even3 = even0;
  let odd0 = even0;
  let odd1 = even0;
  let odd2 = even0;
  let odd3 = even0;
  let k = 0;
  for (; k + 8 <= K; k += 8) {
    const low = v128.load(a);
    const high = v128.load(a, 16);
    even0 = fma(low, v128.load(b0), even0);
    even1 = fma(low, v128.load(b1), even1);
    even2 = fma(low, v128.load(b2), even2);
    even3 = fma(low, v128.load(b3), even3);
    odd0 = fma(high, v128.load(b0, 16), odd0);
    odd1 = fma(high, v128.load(b1, 16), odd1);
    odd2 = fma(high, v128.load(b2, 16), odd2);
    odd3 = fma(high, v128.load(b3, 16), odd3);
    a += 32;
    b0 += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
  }
  let result = sumsOfFour(
    f32x4.add(even0, odd0),
    f32x4.add(even1, odd1),
    f32x4.add(even2, odd2),
    f32x4.add(even3, odd3),
  );
  for (; k < K; k++) {
    let values = v128.load32_splat(b0);
    values = v128.load32_lane(b1, values, 1);
    values = v128.load32_lane(b2, values, 2);
    values = v128.load32_lane(b3, values, 3);
    result = fma(v128.load32_splat(a), values, result);
    a += 4;
    b0 += 4;
    b1 += 4;
    b2 += 4;
    b3 += 4;
  }
  v128.store(sums, result);
}

/** B [K, N]: its rows, times values of A, are added to the sums, eight rows at a time. */
function addRowsOfB(): void {
  for (let row = 0; row < M; row++) memory.fill(sumsOf(row), 0, addressOf(0, width));
  const stepOfA = transposeA ? addressOf(0, M) : 4;
  for (let k = 0; k < K; k += 8) {
    const b = addressOf(B, k * N + firstColumn);
    for (let row = 0; row < M; row++) {
      const a = addressOf(A, transposeA ? k * M + row : row * K + k);
      if (k + 8 <= K) addEightRows(sumsOf(row), a, b, stepOfA);
      else addLastRows(sumsOf(row), a, b, K - k);
    }
  }
}

/** Adds eight rows of B, times eight values of A that are `step` bytes apart. */
function addEightRows(sums: usize, a: usize, b: usize, step: usize): void {
  const stride = addressOf(0, N);
  const a0 = v128.load32_splat(a);
  const a1 = v128.load32_splat(a + step);
  const a2 = v128.load32_splat(a + 2 * step);
  const a3 = v128.load32_splat(a + 3 * step);
  const a4 = v128.load32_splat(a + 4 * step);
  const a5 = v128.load32_splat(a + 5 * step);
  const a6 = v128.load32_splat(a + 6 * step);
  const a7 = v128.load32_splat(a + 7 * step);
  let b0 = b;
  let b1 = b + stride;
  let b2 = b1 + stride;
  let b3 = b2 + stride;
  let b4 = b3 + stride;
  let b5 = b4 + stride;
  let b6 = b5 + stride;
  let b7 = b6 + stride;
  let i = 0;
  for (; i + 8 <= width; i += 8) {
    let low = fma(a0, v128.load(b0), v128.load(sums));
    let high = fma(a0, v128.load(b0, 16), v128.load(sums, 16));
    low = fma(a1, v128.load(b1), low);
    high = fma(a1, v128.load(b1, 16), high);
    low = fma(a2, v128.load(b2), low);
    high = fma(a2, v128.load(b2, 16), high);
    low = fma(a3, v128.load(b3), low);
    high = fma(a3, v128.load(b3, 16), high);
    low = fma(a4, v128.load(b4), low);
    high = fma(a4, v128.load(b4, 16), high);
    low = fma(a5, v128.load(b5), low);
    high = fma(a5, v128.load(b5, 16), high);
    low = fma(a6, v128.load(b6), low);
    high = fma(a6, v128.load(b6, 16), high);
    low = fma(a7, v128.load(b7), low);
    high = fma(a7, v128.load(b7, 16), high);
    v128.store(sums, low);
    v128.store(sums, high, 16);
    sums += 32;
    b0 += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
    b4 += 32;
    b5 += 32;
    b6 += 32;
    b7 += 32;
  }
  for (; i < width; i++) {
    let sum = load<f32>(sums);
    for (let k = 0; k < 8; k++)
      sum += load<f32>(a + <usize>k * step) * load<f32>(b0 + <usize>k * stride);
    store<f32>(sums, sum);
    sums += 4;
    b0 += 4;
  }
}

/** Adds fewer than eight rows. */
function addLastRows(sums: usize, a: usize, b: usize, rows: i32): void {
  const step = transposeA ? addressOf(0, M) : 4;
  for (; rows > 0; rows--) {
    const value = v128.load32_splat(a);
    let i = 0;
    for (; i + 4 <= width; i += 4) {
      const sum = addressOf(sums, i);
      v128.store(sum, fma(value, v128.load(addressOf(b, i)), v128.load(sum)));
    }
    for (; i < width; i++) {
      const sum = addressOf(sums, i);
      store<f32>(sum, load<f32>(sum) + load<f32>(a) * load<f32>(addressOf(b, i)));
    }
    a += step;
    b += addressOf(0, N);
  }
}
