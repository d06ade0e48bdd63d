/**
 * Float64 loops that LayerNorm and RMSNorm share; RMSNorm is the same without centring (its mean is
 * 0).
 */
import { at, dims2, zeros } from '../host.ts';
import type { HostTensor } from '../define.ts';

/**
 * Mean and 1 / sqrt(variance + eps) of each row of x [N, d]; the variance is the biased one, from a
 * second pass.
 */
export function rowStatistics(
  x: HostTensor,
  eps: number,
  centre: boolean,
): { mean: HostTensor; rstd: HostTensor } {
  const [n, d] = dims2(x.shape);
  const mean = zeros([n]);
  const rstd = zeros([n]);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    let squares = 0;
    if (centre) for (let j = 0; j < d; j++) sum += at(x, i * d + j);
    for (let j = 0; j < d; j++) squares += (at(x, i * d + j) - sum / d) ** 2;
    mean.data[i] = sum / d;
    rstd.data[i] = 1 / Math.sqrt(squares / d + eps);
  }
  return { mean, rstd };
}

/** (x - mean) rstd weight + bias. */
export function normalised(
  x: HostTensor,
  s: { mean: HostTensor; rstd: HostTensor },
  weight: HostTensor,
  bias: HostTensor | null,
): HostTensor {
  const [n, d] = dims2(x.shape);
  const y = zeros([n, d]);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) {
      const k = i * d + j;
      y.data[k] =
        (at(x, k) - at(s.mean, i)) * at(s.rstd, i) * at(weight, j) + (bias ? at(bias, j) : 0);
    }
  return y;
}

/**
 * Gradient with respect to x, with t = dy weight and h = (x - mean) rstd: rstd (t - mean(t) - h
 * mean(t h)).
 */
export function gradX(
  x: HostTensor,
  weight: HostTensor,
  s: { mean: HostTensor | null; rstd: HostTensor },
  dy: HostTensor,
): HostTensor {
  const [n, d] = dims2(x.shape);
  const dx = zeros([n, d]);
  for (let i = 0; i < n; i++) {
    const r = at(s.rstd, i);
    const m = s.mean ? at(s.mean, i) : 0;
    let a = 0;
    let b = 0;
    for (let j = 0; j < d; j++) {
      const t = at(dy, i * d + j) * at(weight, j);
      if (s.mean) a += t / d;
      b += (t * (at(x, i * d + j) - m) * r) / d;
    }
    for (let j = 0; j < d; j++) {
      const k = i * d + j;
      dx.data[k] = r * (at(dy, k) * at(weight, j) - a - (at(x, k) - m) * r * b);
    }
  }
  return dx;
}

/** Sum over the rows of dy (x - mean) rstd (the weight's gradient), and of dy (the bias's). */
export function gradColumns(
  x: HostTensor,
  s: { mean: HostTensor | null; rstd: HostTensor },
  dy: HostTensor,
): { weight: HostTensor; bias: HostTensor } {
  const [n, d] = dims2(x.shape);
  const weight = zeros([d]);
  const bias = zeros([d]);
  for (let j = 0; j < d; j++) {
    let w = 0;
    let b = 0;
    for (let i = 0; i < n; i++) {
      const g = at(dy, i * d + j);
      w += g * (at(x, i * d + j) - (s.mean ? at(s.mean, i) : 0)) * at(s.rstd, i);
      b += g;
    }
    weight.data[j] = w;
    bias.data[j] = b;
  }
  return { weight, bias };
}
