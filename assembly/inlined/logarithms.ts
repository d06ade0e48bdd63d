/** Logarithms of four float32 values at a time. `../logarithm.ts` has a more accurate one. */
import { fma, splat } from './simd';

/**
 * log x for normal x > 0, with an absolute or a relative error below 2e-7: 2 artanh(s) with
 * s = (m - 1) / (m + 1) of the mantissa m in [sqrt(1/2), sqrt(2)). A NaN stays one.
 */
export function logarithm4(x: v128): v128 {
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
  const log = fma(f32x4.convert_i32x4_s(exponent), splat(0.6931471805599453), f32x4.mul(p, s));
  return v128.bitselect(log, x, f32x4.eq(x, x));
}
