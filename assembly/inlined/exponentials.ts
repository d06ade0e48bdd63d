/**
 * Exponentials for arguments of a known sign, which need fewer instructions than `exp4` of simd.ts.
 */
import { fma, splat } from './simd';

/**
 * 2^t for t in [-126, 127], with a relative error below 2e-7, and exactly 1 for 0. The result is
 * meaningless outside of this range. A NaN stays one.
 *
 * `shifted` is t + 1.5 * 2^23, whose low bits are the nearest integer, and `fraction` the rest of t,
 * in [-0.5, 0.5]. The polynomial of degree 5 is the one of least relative error among those that are
 * 1 at 0.
 */
export function scaledPower4(shifted: v128, fraction: v128): v128 {
  let p = splat(0.0013264727252588551);
  p = fma(p, fraction, splat(0.009671512785775924));
  p = fma(p, fraction, splat(0.055507337444712535));
  p = fma(p, fraction, splat(0.24022242083111825));
  p = fma(p, fraction, splat(0.693146977597678));
  p = fma(p, fraction, splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** 2^t, as `scaledPower4`. */
export function power4(t: v128): v128 {
  const rounder = splat(12582912);
  const shifted = f32x4.add(t, rounder);
  return scaledPower4(shifted, f32x4.sub(t, f32x4.sub(shifted, rounder)));
}

/**
 * e^x of a logit x relative to the largest of its row, so x <= 0. Zero below e^-40: such terms
 * change no float32 sum that has the term 1, and their products with gradients would be denormal
 * numbers, which slow processors down. A NaN stays one.
 *
 * The relative error grows with x, to |x| * 6e-8; relative to the row's largest term, 1, it is
 * below 2e-7.
 */
export function softmaxTerm4(x: v128): v128 {
  const rounder = splat(12582912);
  const scale = splat(1.4426950408889634);
  const shifted = fma(x, scale, rounder);
  const fraction = fma(x, scale, f32x4.sub(rounder, shifted));
  return v128.andnot(scaledPower4(shifted, fraction), f32x4.lt(x, splat(-40)));
}

/** `softmaxTerm4` of one value. */
export function softmaxTerm(x: f32): f32 {
  return f32x4.extract_lane(softmaxTerm4(splat(x)), 0);
}
