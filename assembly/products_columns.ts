/** Sums of a matrix's columns, as gradients of biases are. */
import { addressOf, intAt, pointerAt } from './inlined/args';
import { splat } from './inlined/simd';
import { claim } from './threads';

/** Columns of a chunk: two cache lines of every row. */
const CHUNK: i32 = 32;
/** Rows that are summed before they are added to the total, which keeps rounding errors small. */
const ROWS_AT_ONCE: i32 = 128;

/** sums [columns] of values [rows, columns]; rows, columns. */
export function column_sums(args: usize): void {
  const columns = intAt(args, 3);
  for (let chunk = claim(); chunk * CHUNK < columns; chunk = claim()) {
    const first = chunk * CHUNK;
    const size = min(CHUNK, columns - first);
    memory.fill(addressOf(pointerAt(args, 0), first), 0, addressOf(0, size));
    addColumns(args, first, size);
  }
}

/** sums [columns] += those of values [rows, columns]; rows, columns. */
export function column_sums_add(args: usize): void {
  const columns = intAt(args, 3);
  for (let chunk = claim(); chunk * CHUNK < columns; chunk = claim())
    addColumns(args, chunk * CHUNK, min(CHUNK, columns - chunk * CHUNK));
}

/** The distance of two rows in bytes. */
let stride: usize = 0;

/** Adds the sums of `size` columns. */
function addColumns(args: usize, first: i32, size: i32): void {
  const sums = addressOf(pointerAt(args, 0), first);
  const values = addressOf(pointerAt(args, 1), first);
  const rows = intAt(args, 2);
  stride = addressOf(0, intAt(args, 3));
  for (let row = 0; row < rows; row += ROWS_AT_ONCE) {
    const block = values + <usize>row * stride;
    const count = min(ROWS_AT_ONCE, rows - row);
    let i = 0;
    if (size == CHUNK) {
      addThirtyTwo(sums, block, count);
      i = CHUNK;
    }
    for (; i + 4 <= size; i += 4) addFour(addressOf(sums, i), addressOf(block, i), count);
    for (; i < size; i++) addOne(addressOf(sums, i), addressOf(block, i), count);
  }
}

function addThirtyTwo(sums: usize, values: usize, rows: i32): void {
  let sum0 = splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  let sum4 = sum0;
  let sum5 = sum0;
  let sum6 = sum0;
  let sum7 = sum0;
  const next = stride;
  for (; rows > 0; rows--) {
    sum0 = f32x4.add(sum0, v128.load(values));
    sum1 = f32x4.add(sum1, v128.load(values, 16));
    sum2 = f32x4.add(sum2, v128.load(values, 32));
    sum3 = f32x4.add(sum3, v128.load(values, 48));
    sum4 = f32x4.add(sum4, v128.load(values, 64));
    sum5 = f32x4.add(sum5, v128.load(values, 80));
    sum6 = f32x4.add(sum6, v128.load(values, 96));
    sum7 = f32x4.add(sum7, v128.load(values, 112));
    values += next;
  }
  addTo(sums, sum0);
  addTo(sums + 16, sum1);
  addTo(sums + 32, sum2);
  addTo(sums + 48, sum3);
  addTo(sums + 64, sum4);
  addTo(sums + 80, sum5);
  addTo(sums + 96, sum6);
  addTo(sums + 112, sum7);
}

function addFour(sums: usize, values: usize, rows: i32): void {
  let sum = splat(0);
  for (; rows > 0; rows--) {
    sum = f32x4.add(sum, v128.load(values));
    values += stride;
  }
  addTo(sums, sum);
}

function addTo(sums: usize, values: v128): void {
  v128.store(sums, f32x4.add(v128.load(sums), values));
}

function addOne(sums: usize, values: usize, rows: i32): void {
  let sum: f32 = 0;
  for (; rows > 0; rows--) {
    sum += load<f32>(values);
    values += stride;
  }
  store<f32>(sums, load<f32>(sums) + sum);
}
