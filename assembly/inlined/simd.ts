/**
 * Four float32 values at a time. One source, two builds: with relaxed SIMD, `fma` is the fused
 * multiply-add of the machine; without, a product and a sum.
 */

/** a * b + c. */
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** The smaller of each pair, in one instruction on x64; a NaN in `a` gives `b`. */
export function smaller(a: v128, b: v128): v128 {
  return f32x4.pmin(b, a);
}

/** The larger of each pair, in one instruction on x64; a NaN in `a` gives `b`. */
export function larger(a: v128, b: v128): v128 {
  return f32x4.pmax(b, a);
}

/** The sum of the four values. */
export function sumOf(v: v128): f32 {
  const low = f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1);
  const high = f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3);
  return low + high;
}

/** The largest of the four values. */
export function maximumOf(v: v128): f32 {
  const low = max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
  const high = max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3));
  return max(low, high);
}

/**
 * e^x with a relative error below 2e-7; x is clamped to [-87, 88], and a NaN stays one. Cody and
 * Waite's reduction by ln 2 in two parts, then a polynomial of degree 7.
 */
export function exp4(value: v128): v128 {
  const x = larger(splat(-87), smaller(splat(88), value));
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
  const rounder = splat(12582912);
  const shifted = fma(x, splat(1.4426950408889634), rounder);
  const n = f32x4.sub(shifted, rounder);
  let r = fma(n, splat(-0.693359375), x);
  r = fma(n, splat(2.1219444e-4), r);
  let p = splat(1.0 / 5040);
  p = fma(p, r, splat(1.0 / 720));
  p = fma(p, r, splat(1.0 / 120));
  p = fma(p, r, splat(1.0 / 24));
  p = fma(p, r, splat(1.0 / 6));
  p = fma(p, r, splat(0.5));
  p = fma(p, r, splat(1));
  p = fma(p, r, splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** exp4 of one value. */
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(splat(x)), 0);
}

/** sigmoid(x) of four values. */
export function sigmoid4(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), exp4(f32x4.neg(x))));
}
