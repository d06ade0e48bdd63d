/** What kernels over the rows of a matrix share. */
import { fma, larger, maximumOf, splat, sumOf } from './inlined/simd';

/** A chunk has as many whole rows as fit into this many values, and at least one. */
const CHUNK_VALUES: i32 = 8192;

/** The rows of a chunk, for rows of `width` values. */
export function rowsOfChunk(width: i32): i32 {
  return max(1, CHUNK_VALUES / max(1, width));
}

/** The number of chunks of `size` rows, or values, among `count`; the last may be smaller. */
export function chunksOf(count: i32, size: i32): i32 {
  return (count + size - 1) / size;
}

/** The sum of the values in [from, end). */
export function sumOfRow(from: usize, end: usize): f32 {
  let a = splat(0);
  let b = splat(0);
  let c = splat(0);
  let d = splat(0);
  let p = from;
  for (; p + 64 <= end; p += 64) {
    a = f32x4.add(a, v128.load(p));
    b = f32x4.add(b, v128.load(p, 16));
    c = f32x4.add(c, v128.load(p, 32));
    d = f32x4.add(d, v128.load(p, 48));
  }
  for (; p + 16 <= end; p += 16) a = f32x4.add(a, v128.load(p));
  let sum = sumOf(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (; p < end; p += 4) sum += load<f32>(p);
  return sum;
}

/** The sum of (x - mean)^2 over the values x in [from, end). */
export function squaresOfRow(from: usize, end: usize, mean: f32): f32 {
  const center = splat(mean);
  let a = splat(0);
  let b = splat(0);
  let c = splat(0);
  let d = splat(0);
  let p = from;
  for (; p + 64 <= end; p += 64) {
    const x0 = f32x4.sub(v128.load(p), center);
    const x1 = f32x4.sub(v128.load(p, 16), center);
    const x2 = f32x4.sub(v128.load(p, 32), center);
    const x3 = f32x4.sub(v128.load(p, 48), center);
    a = fma(x0, x0, a);
    b = fma(x1, x1, b);
    c = fma(x2, x2, c);
    d = fma(x3, x3, d);
  }
  for (; p + 16 <= end; p += 16) {
    const x = f32x4.sub(v128.load(p), center);
    a = fma(x, x, a);
  }
  let sum = sumOf(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (; p < end; p += 4) {
    const x = load<f32>(p) - mean;
    sum += x * x;
  }
  return sum;
}

/** The largest of the values in [from, end), at least -3.4e38. NaNs are left out. */
export function largestOfRow(from: usize, end: usize): f32 {
  let a = splat(-3.4e38);
  let b = a;
  let c = a;
  let d = a;
  let p = from;
  for (; p + 64 <= end; p += 64) {
    a = f32x4.pmax(a, v128.load(p));
    b = f32x4.pmax(b, v128.load(p, 16));
    c = f32x4.pmax(c, v128.load(p, 32));
    d = f32x4.pmax(d, v128.load(p, 48));
  }
  for (; p + 16 <= end; p += 16) a = f32x4.pmax(a, v128.load(p));
  let largest = maximumOf(larger(larger(a, b), larger(c, d)));
  for (; p < end; p += 4) {
    const x = load<f32>(p);
    if (x > largest) largest = x;
  }
  return largest;
}
