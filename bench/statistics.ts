export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/**
 * The largest |a / b - 1| of two lists up to the end of the shorter, and its index. NaN counts as
 * infinite. Null if a list is empty.
 */
export function largestRelativeDifference(
  a: readonly number[],
  b: readonly number[],
): { difference: number; index: number } | null {
  const differences = a.slice(0, b.length).map((x, i) => {
    const difference = Math.abs(x / (b[i] ?? NaN) - 1);
    return Number.isNaN(difference) ? Infinity : difference;
  });
  if (differences.length === 0) return null;
  const difference = Math.max(...differences);
  return { difference, index: differences.indexOf(difference) };
}
