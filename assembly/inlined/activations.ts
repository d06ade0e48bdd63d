/**
 * The activation functions of src/ops/activation/functions.ts and their derivatives, of four values.
 *
 * Sigmoids below e^-40 are cut to zero: they change no float32 sum, and their products with
 * gradients would be denormal numbers, which slow processors down.
 */
import { exp4, fma, splat } from './simd';

/**
 * sigmoid(-w), zero where it is below e^-40. For a NaN it is a number, so callers multiply it by
 * their argument, which is NaN then, too.
 */
export function cutSigmoid4(w: v128): v128 {
  const one = splat(1);
  const s = f32x4.div(one, f32x4.add(one, exp4(w)));
  return v128.andnot(s, f32x4.gt(w, splat(40)));
}

/**
 * (1 + tanh z) / 2 = sigmoid(2 z) of GELU's z = sqrt(2 / pi) (u + 0.044715 u^3). Takes one
 * exponential, and does not cancel where tanh is near -1.
 */
export function geluSigmoid4(u: v128): v128 {
  // -2 sqrt(2 / pi) and that times 0.044715.
  const slope = fma(f32x4.mul(u, u), splat(-0.07135481282673693), splat(-1.5957691216057308));
  return cutSigmoid4(f32x4.mul(u, slope));
}

/** GELU in the tanh approximation (code 0). */
export function gelu4(u: v128): v128 {
  return f32x4.mul(u, geluSigmoid4(u));
}

/** s + u s (1 - s) (2 z)', with s = sigmoid(2 z). */
export function geluDerivative4(u: v128): v128 {
  const s = geluSigmoid4(u);
  // 6 sqrt(2 / pi) 0.044715 and 2 sqrt(2 / pi).
  const slope = fma(f32x4.mul(u, u), splat(0.21406443848021078), splat(1.5957691216057308));
  const width = f32x4.mul(f32x4.mul(u, s), f32x4.sub(splat(1), s));
  return fma(width, slope, s);
}

/** Squared ReLU: max(u, 0)^2 (code 1). A NaN stays one. */
export function relu2Of4(u: v128): v128 {
  const positive = f32x4.max(u, splat(0));
  return f32x4.mul(positive, positive);
}

export function relu2DerivativeOf4(u: v128): v128 {
  const positive = f32x4.max(u, splat(0));
  return f32x4.add(positive, positive);
}

/** SiLU: u sigmoid(u) (code 2). */
export function silu4(u: v128): v128 {
  return f32x4.mul(u, cutSigmoid4(f32x4.neg(u)));
}

/** s (1 + u (1 - s)), with s = sigmoid(u). */
export function siluDerivative4(u: v128): v128 {
  const s = cutSigmoid4(f32x4.neg(u));
  return f32x4.mul(s, fma(u, f32x4.sub(splat(1), s), splat(1)));
}
