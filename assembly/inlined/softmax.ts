/** What softmax needs of e^x and log x: cheaper than the general functions of `simd.ts`. */
import { fma, splat } from './simd';

/** Weights below e^-40 of the largest one are zero: no denormals, and no sum would feel them. */
const LEAST: f32 = -40;

/**
 * e^x for x <= 0, and exactly 0 below `LEAST`. Relative error below 2e-7. Reduces by ln 2, then a
 * polynomial of degree 5 with the smallest relative error (by the Remez algorithm).
 */
export function weightOf(x: v128): v128 {
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
  const rounder = splat(12582912);
  const shifted = fma(x, splat(1.4426950408889634), rounder);
  // The rounding error of ln 2 times n is below that of x itself: one step is enough.
  const r = fma(f32x4.sub(shifted, rounder), splat(-0.6931471805599453), x);
  let p = fma(splat(0.008297647958730099), r, splat(0.041915431433940234));
  p = fma(p, r, splat(0.166675750911551));
  p = fma(p, r, splat(0.49998894413472084));
  p = fma(p, r, splat(0.9999996918073817));
  p = fma(p, r, splat(1.000000071696982));
  const e = i32x4.add(p, i32x4.shl(shifted, 23));
  return v128.and(e, f32x4.gt(x, splat(LEAST)));
}

/**
 * log x for normal x > 0, with an error below 2e-7 absolute or relative: 2 artanh(s) with
 * s = (m - 1) / (m + 1) of the mantissa m in [sqrt(1/2), sqrt(2)).
 */
export function logOf(x: v128): v128 {
  // The bits of sqrt(1/2) move the border between two exponents from 1 to sqrt(2).
  const half = i32x4.splat(0x3f3504f3);
  const exponent = i32x4.shr_s(i32x4.sub(x, half), 23);
  const m = i32x4.sub(x, i32x4.shl(exponent, 23));
  const s = f32x4.div(f32x4.sub(m, splat(1)), f32x4.add(m, splat(1)));
  const s2 = f32x4.mul(s, s);
  let p = fma(splat(2.0 / 9), s2, splat(2.0 / 7));
  p = fma(p, s2, splat(2.0 / 5));
  p = fma(p, s2, splat(2.0 / 3));
  p = fma(p, s2, splat(2));
  return fma(f32x4.convert_i32x4_s(exponent), splat(0.6931471805599453), f32x4.mul(p, s));
}
