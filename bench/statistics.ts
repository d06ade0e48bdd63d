export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/**
 * The largest |a / b - 1| of two lists, up to the end of the shorter, and where it is; a loss that
 * is no number counts as the largest.
 */
export function largestRelativeDifference(
  a: readonly number[],
  b: readonly number[],
): { difference: number; index: number } | null {
  const differences = a.slice(0, b.length).map((x, i) => {
    const d = Math.abs(x / (b[i] ?? NaN) - 1);
    return Number.isNaN(d) ? Infinity : d;
  });
  if (differences.length === 0) return null;
  const difference = Math.max(...differences);
  return { difference, index: differences.indexOf(difference) };
}
