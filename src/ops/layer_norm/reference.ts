/**
 * LayerNorm, RMSNorm and their gradients in tfjs ops. `mean` null stands for RMSNorm, which does
 * not centre.
 */
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

/** Rows scaled to a mean square of 1: c rsqrt(mean(c^2) + eps), and that factor [N]. */
export function scaled(c: Tensor, eps: number): { normal: Tensor; rstd: Tensor } {
  const r = rsqrt(add(mean(square(c), 1, true), eps));
  return { normal: mul(c, r), rstd: squeeze(r, [1]) };
}

export function centredAndScaled(
  x: Tensor,
  eps: number,
): { normal: Tensor; mean: Tensor; rstd: Tensor } {
  const m = mean(x, 1, true);
  return { ...scaled(sub(x, m), eps), mean: squeeze(m, [1]) };
}

const normal = (x: Tensor, m: Tensor | null, rstd: Tensor): Tensor =>
  mul(m ? sub(x, expandDims(m, 1)) : x, expandDims(rstd, 1));

export function gradX(
  x: Tensor,
  weight: Tensor,
  m: Tensor | null,
  rstd: Tensor,
  dy: Tensor,
): Tensor {
  const h = normal(x, m, rstd);
  const t = mul(dy, weight);
  const rest = sub(t, mul(h, mean(mul(t, h), 1, true)));
  return mul(expandDims(rstd, 1), m ? sub(rest, mean(t, 1, true)) : rest);
}

export const gradWeight = (x: Tensor, m: Tensor | null, rstd: Tensor, dy: Tensor): Tensor =>
  sum(mul(dy, normal(x, m, rstd)), 0);
