/** LayerNorm, RMSNorm and their gradients in tfjs ops. */
import {
  add,
  expandDims,
  mean,
  mul,
  rsqrt,
  square,
  squeeze,
  sub,
  sum,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type { NormGradInputs } from './types.ts';

/** Rows of x [N, d] divided by their root mean square, and rstd [N] = rsqrt(mean(x^2) + eps). */
export function scaled(x: Tensor, eps: number): { normal: Tensor; rstd: Tensor } {
  const rstd = rsqrt(add(mean(square(x), 1, true), eps));
  return { normal: mul(x, rstd), rstd: squeeze(rstd, [1]) };
}

/** Rows of x [N, d] less their means [N], then `scaled`. */
export function centeredAndScaled(
  x: Tensor,
  eps: number,
): { normal: Tensor; mean: Tensor; rstd: Tensor } {
  const rowMean = mean(x, 1, true);
  return { ...scaled(sub(x, rowMean), eps), mean: squeeze(rowMean, [1]) };
}

/** (x - mean) rstd, [N, d]. */
function normalized(inputs: Omit<NormGradInputs, 'weight' | 'dy'>): Tensor {
  const { x, mean: rowMean, rstd } = inputs;
  const centered = rowMean ? sub(x, expandDims(rowMean, 1)) : x;
  return mul(centered, expandDims(rstd, 1));
}

/** Gradient of x, [N, d]. */
export function gradX(inputs: NormGradInputs): Tensor {
  const { weight, mean: rowMean, rstd, dy } = inputs;
  const h = normalized(inputs);
  const t = mul(dy, weight);
  const rest = sub(t, mul(h, mean(mul(t, h), 1, true)));
  return mul(expandDims(rstd, 1), rowMean ? sub(rest, mean(t, 1, true)) : rest);
}

/** Gradient of the weight, [d]. */
export const gradWeight = (inputs: Omit<NormGradInputs, 'weight'>): Tensor =>
  sum(mul(inputs.dy, normalized(inputs)), 0);
