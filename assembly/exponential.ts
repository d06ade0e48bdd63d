/** The exponential in float64, where sampling must agree with JavaScript. */

/**
 * e^x of two float64 values with an error of about one unit in the last place, for x <= 0. Below
 * e^-700 it is zero, so that there are no denormals. As `exp4`, with a polynomial of degree 13.
 */
export function exponential(x: v128): v128 {
  const isPositive = f64x2.gt(x, f64x2.splat(-700));
  const clamped = f64x2.pmax(f64x2.splat(-700), x);
  const rounder = f64x2.splat(6755399441055744.0);
  const shifted = f64x2.add(f64x2.mul(clamped, f64x2.splat(1.4426950408889634)), rounder);
  const n = f64x2.sub(shifted, rounder);
  // ln 2 in two parts, of which the first has 32 bits, so that its products with n are exact.
  let r = f64x2.sub(clamped, f64x2.mul(n, f64x2.splat(0.6931471803691238)));
  r = f64x2.sub(r, f64x2.mul(n, f64x2.splat(1.9082149292705877e-10)));
  let p = f64x2.splat(1.0 / 6227020800.0);
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 479001600.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 39916800.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 3628800.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 362880.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 40320.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 5040.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 720.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 120.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 24.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 6.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(0.5));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1));
  return v128.and(i64x2.add(p, i64x2.shl(shifted, 52)), isPositive);
}
