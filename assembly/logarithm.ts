/**
 * The natural logarithm of a normal x > 0, with an absolute error below 1e-9. For 0 it is about -709,
 * and for a NaN or an infinity it is what it is given. Not Math.log, which brings tables of 4 kB.
 *
 * x = 2^e m with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh(s) with s = (m - 1) / (m + 1).
 */
export function logarithm(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<i64>(x);
  // Rounds the exponent up where the mantissa is above sqrt(2).
  const exponent = (bits - ((<i64>0x3fe6a09e) << 32)) >> 52;
  const m = reinterpret<f64>(bits - (exponent << 52));
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let series = z * (1.0 / 13) + 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  series = series * z + 1;
  return 2 * s * series + <f64>exponent * 0.6931471805599453;
}
