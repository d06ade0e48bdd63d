/**
 * 95 % intervals. Shares use Wilson's interval, which holds for few items and at 0 and 1 (Bowyer et
 * al., arXiv:2503.01747); means use the standard error, clustered where several answers belong to
 * one prompt, and differences of two models are paired by item (Miller, arXiv:2411.00640).
 */
import type { Estimate } from '../common/index.ts';

/** The 97.5th percentile of the standard normal distribution. */
export const Z = 1.959963984540054;

const NONE: Estimate = { value: NaN, low: NaN, high: NaN, n: 0 };

/**
 * Wilson's score interval of a share.
 *
 * @param successes may be a fraction, where ties count a half.
 * @returns NaN without items
 */
export function wilson(successes: number, n: number): Estimate {
  if (n === 0) return NONE;
  const share = successes / n;
  const scale = 1 + Z ** 2 / n;
  const centre = (share + Z ** 2 / (2 * n)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  // Rounding may put the bound just inside the share at 0 and 1.
  return {
    value: share,
    low: Math.max(0, Math.min(share, centre - half)),
    high: Math.min(1, Math.max(share, centre + half)),
    n,
  };
}

/** Mean with its standard error s / sqrt(n), s with n - 1. One item has no interval (NaN bounds). */
export function meanInterval(values: readonly number[]): Estimate {
  const n = values.length;
  if (n === 0) return NONE;
  const value = mean(values);
  const half = Z * standardError(values);
  return { value, low: value - half, high: value + half, n };
}

/** Sample standard deviation over sqrt(n); NaN for fewer than two values. */
export function standardError(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) return NaN;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (n - 1) / n);
}

/**
 * Mean of values that come in clusters, such as several answers to one prompt: the products of
 * different values of one cluster are added to the squared standard error (Miller, equation 4).
 *
 * @param clusters the cluster of each value
 */
export function clusteredMean(
  values: readonly number[],
  clusters: readonly (number | string)[],
): Estimate {
  const n = values.length;
  if (n === 0) return NONE;
  const value = mean(values);
  const sums = new Map<number | string, { sum: number; squares: number }>();
  values.forEach((one, i) => {
    const cluster = clusters[i] ?? i;
    const { sum, squares } = sums.get(cluster) ?? { sum: 0, squares: 0 };
    const difference = one - value;
    sums.set(cluster, { sum: sum + difference, squares: squares + difference ** 2 });
  });
  let products = 0;
  for (const { sum, squares } of sums.values()) products += sum ** 2 - squares;
  const variance = standardError(values) ** 2 + products / n ** 2;
  const half = Z * Math.sqrt(Math.max(0, variance));
  return { value, low: value - half, high: value + half, n };
}

/**
 * Mean difference a - b over the same items, whose noise is common to both.
 *
 * @throws RangeError if the lists differ in length
 */
export function pairedDifference(a: readonly number[], b: readonly number[]): Estimate {
  if (a.length !== b.length) {
    throw new RangeError(`A paired difference needs equal lists, not ${a.length} and ${b.length}.`);
  }
  return meanInterval(a.map((value, i) => value - (b[i] ?? NaN)));
}

/**
 * Ratio of two sums over items, such as bits over bytes. The interval takes the items as drawn
 * independently (linearisation: the residuals of the numerator given the denominator).
 */
export function ratio(numerators: readonly number[], denominators: readonly number[]): Estimate {
  const n = numerators.length;
  const total = sum(denominators);
  if (n === 0 || total === 0) return NONE;
  const value = sum(numerators) / total;
  const residuals = numerators.map((one, i) => one - value * (denominators[i] ?? 0));
  const half = (Z * n * standardError(residuals)) / total;
  return { value, low: value - half, high: value + half, n };
}

/** The interval of a share, which ends at 0 and at 1. */
export function withinShares(estimate: Estimate): Estimate {
  const { low, high } = estimate;
  return { ...estimate, low: Math.max(0, low), high: Math.min(1, high) };
}

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

export const mean = (values: readonly number[]): number => sum(values) / values.length;
