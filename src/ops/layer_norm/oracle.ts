/**
 * LayerNorm, RMSNorm and their gradients in float64 loops. RMSNorm is LayerNorm without centering:
 * its rows have the mean 0.
 */
import { at, dims2, zeros } from '../host.ts';
import type { HostTensor } from '../define.ts';

/** Mean [N] and rstd [N] = 1 / sqrt(variance + eps) of the rows. */
export interface RowStatistics {
  mean: HostTensor;
  rstd: HostTensor;
}

/**
 * Statistics of each row of x [N, d]. The variance is the biased one, computed in a second pass
 * over the row.
 */
export function rowStatistics(x: HostTensor, eps: number, center: boolean): RowStatistics {
  const [n, d] = dims2(x.shape);
  const mean = zeros([n]);
  const rstd = zeros([n]);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    let squares = 0;
    if (center) for (let j = 0; j < d; j++) sum += at(x, i * d + j);
    for (let j = 0; j < d; j++) squares += (at(x, i * d + j) - sum / d) ** 2;
    mean.data[i] = sum / d;
    rstd.data[i] = 1 / Math.sqrt(squares / d + eps);
  }
  return { mean, rstd };
}

/** y [N, d] = (x - mean) rstd weight + bias. */
export function normalized(
  x: HostTensor,
  { mean, rstd }: RowStatistics,
  weight: HostTensor,
  bias: HostTensor | null,
): HostTensor {
  const [n, d] = dims2(x.shape);
  const y = zeros([n, d]);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) {
      const k = i * d + j;
      const h = (at(x, k) - at(mean, i)) * at(rstd, i);
      y.data[k] = h * at(weight, j) + (bias ? at(bias, j) : 0);
    }
  return y;
}

/** Statistics that a gradient reads; `mean` is null for RMSNorm. */
type SavedStatistics = { mean: HostTensor | null; rstd: HostTensor };

/**
 * Gradient of x, [N, d]: rstd (t - mean(t) - h mean(t h)), where t = dy weight and
 * h = (x - mean) rstd. RMSNorm has no mean(t).
 */
export function gradX(
  x: HostTensor,
  weight: HostTensor,
  { mean, rstd }: SavedStatistics,
  dy: HostTensor,
): HostTensor {
  const [n, d] = dims2(x.shape);
  const dx = zeros([n, d]);
  for (let i = 0; i < n; i++) {
    const r = at(rstd, i);
    const m = mean ? at(mean, i) : 0;
    let meanOfT = 0;
    let meanOfTH = 0;
    for (let j = 0; j < d; j++) {
      const t = at(dy, i * d + j) * at(weight, j);
      if (mean) meanOfT += t / d;
      meanOfTH += (t * (at(x, i * d + j) - m) * r) / d;
    }
    for (let j = 0; j < d; j++) {
      const k = i * d + j;
      const h = (at(x, k) - m) * r;
      dx.data[k] = r * (at(dy, k) * at(weight, j) - meanOfT - h * meanOfTH);
    }
  }
  return dx;
}

/** Gradients of weight [d] and bias [d]: the sums over the rows of dy (x - mean) rstd and of dy. */
export function gradColumns(
  x: HostTensor,
  { mean, rstd }: SavedStatistics,
  dy: HostTensor,
): { weight: HostTensor; bias: HostTensor } {
  const [n, d] = dims2(x.shape);
  const weight = zeros([d]);
  const bias = zeros([d]);
  for (let j = 0; j < d; j++) {
    let weightSum = 0;
    let biasSum = 0;
    for (let i = 0; i < n; i++) {
      const g = at(dy, i * d + j);
      weightSum += g * (at(x, i * d + j) - (mean ? at(mean, i) : 0)) * at(rstd, i);
      biasSum += g;
    }
    weight.data[j] = weightSum;
    bias.data[j] = biasSum;
  }
  return { weight, bias };
}
