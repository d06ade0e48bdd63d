/**
 * The activation functions of src/ops/activation/functions.ts and their derivatives, of four values.
 *
 * Sigmoids below 2^-58 are cut to zero: they change no float32 sum, and their products with
 * gradients would be denormal numbers, which slow processors down.
 */
import { power4, softmaxTerm4 } from './exponentials';
import { fma, splat } from './simd';

/** 1 / (1 + 2^t), zero where it is below 2^-58. A NaN stays one. */
export function cutSigmoid4(t: v128): v128 {
  const one = splat(1);
  const power = power4(f32x4.pmax(t, splat(-64)));
  return v128.andnot(f32x4.div(one, f32x4.add(one, power)), f32x4.gt(t, splat(58)));
}

/**
 * (1 + tanh z) / 2 = sigmoid(2 z) of GELU's z = sqrt(2 / pi) (u + 0.044715 u^3). Takes one
 * exponential, and does not cancel where tanh is near -1.
 */
export function geluSigmoid4(u: v128): v128 {
  // -2 sqrt(2 / pi) log2(e) and that times 0.044715.
  const slope = fma(f32x4.mul(u, u), splat(-0.1029432395800235), splat(-2.302208198144325));
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
  const slope = fma(f32x4.mul(u, u), splat(0.21406444881780076), splat(1.5957691216057308));
  const width = f32x4.mul(f32x4.mul(u, s), f32x4.sub(splat(1), s));
  return fma(width, slope, s);
}

/**
 * 1 - Phi(|u|) = erfc(|u| / sqrt(2)) / 2, with a relative error of about 1e-6 (`erfcc` of Numerical
 * Recipes). Zero below e^-40, which changes no float32 sum.
 */
export function normalTail4(u: v128): v128 {
  const z = f32x4.mul(f32x4.abs(u), splat(0.7071067811865476));
  const t = f32x4.div(splat(1), fma(z, splat(0.5), splat(1)));
  let p = splat(0.17087277);
  p = fma(p, t, splat(-0.82215223));
  p = fma(p, t, splat(1.48851587));
  p = fma(p, t, splat(-1.13520398));
  p = fma(p, t, splat(0.27886807));
  p = fma(p, t, splat(-0.18628806));
  p = fma(p, t, splat(0.09678418));
  p = fma(p, t, splat(0.37409196));
  p = fma(p, t, splat(1.00002368));
  p = fma(p, t, splat(-1.26551223));
  const exponent = f32x4.sub(p, f32x4.mul(z, z));
  return f32x4.mul(f32x4.mul(t, splat(0.5)), softmaxTerm4(exponent));
}

/** GELU with the error function (code 3): max(u, 0) - |u| (1 - Phi(|u|)). */
export function exactGelu4(u: v128): v128 {
  const positive = f32x4.pmax(u, splat(0));
  return f32x4.sub(positive, f32x4.mul(f32x4.abs(u), normalTail4(u)));
}

/** Phi(u) + u exp(-u^2 / 2) / sqrt(2 pi). */
export function exactGeluDerivative4(u: v128): v128 {
  const tail = normalTail4(u);
  const phi = v128.bitselect(tail, f32x4.sub(splat(1), tail), f32x4.lt(u, splat(0)));
  const density = softmaxTerm4(f32x4.mul(f32x4.mul(u, u), splat(-0.5)));
  return fma(f32x4.mul(u, splat(0.3989422804014327)), density, phi);
}

/** Squared ReLU: max(u, 0)^2 (code 1). A NaN stays one. */
export function relu2Of4(u: v128): v128 {
  const positive = f32x4.pmax(u, splat(0));
  return f32x4.mul(positive, positive);
}

export function relu2DerivativeOf4(u: v128): v128 {
  const positive = f32x4.pmax(u, splat(0));
  return f32x4.add(positive, positive);
}

/** sigmoid(u). */
export function siluSigmoid4(u: v128): v128 {
  return cutSigmoid4(f32x4.mul(u, splat(-1.4426950408889634)));
}

/** SiLU: u sigmoid(u) (code 2). */
export function silu4(u: v128): v128 {
  return f32x4.mul(u, siluSigmoid4(u));
}

/** s (1 + u (1 - s)), with s = sigmoid(u). */
export function siluDerivative4(u: v128): v128 {
  const s = siluSigmoid4(u);
  return f32x4.mul(s, fma(u, f32x4.sub(splat(1), s), splat(1)));
}
