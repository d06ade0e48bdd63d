/**
 * Comparison by |actual - expected| <= atol + rtol |expected|, as in
 * `numpy.testing.assert_allclose` and `torch.testing.assert_close`.
 */

export interface Tolerance {
  atol: number;
  rtol: number;
}

/** An error and the index of the value that has it. */
interface IndexedError {
  error: number;
  index: number;
}

export interface Closeness {
  ok: boolean;
  /** Largest absolute error. */
  absolute: IndexedError;
  /** Largest relative error of the values that are not within atol of zero. */
  relative: IndexedError;
  /** The value that exceeds its bound most or, if none does, is nearest to it. */
  worst: { index: number; actual: number; expected: number };
}

/** NaN and infinities equal only themselves. */
export function closeness(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { atol, rtol }: Tolerance,
): Closeness {
  const result: Closeness = {
    ok: true,
    absolute: { error: 0, index: 0 },
    relative: { error: 0, index: 0 },
    worst: { index: 0, actual: NaN, expected: NaN },
  };
  let furthest = -1;
  for (let index = 0; index < expected.length; index++) {
    const a = actual[index] ?? NaN;
    const e = expected[index] ?? NaN;
    const error = absoluteError(a, e);
    const relative = error === 0 ? 0 : error / Math.abs(e);
    // An error of zero is within tolerances of zero.
    const share = error === 0 ? 0 : error / (atol + rtol * Math.abs(e));
    if (!(share <= 1)) result.ok = false;
    if (error > result.absolute.error) result.absolute = { error, index };
    if (Math.abs(e) > atol && relative > result.relative.error)
      result.relative = { error: relative, index };
    const rank = Number.isNaN(share) ? Infinity : share;
    if (rank > furthest) {
      furthest = rank;
      result.worst = { index, actual: a, expected: e };
    }
  }
  return result;
}

function absoluteError(actual: number, expected: number): number {
  if (actual === expected || Object.is(actual, expected)) return 0;
  if (Number.isFinite(actual) && Number.isFinite(expected)) return Math.abs(actual - expected);
  return Infinity;
}

/**
 * Throws if the lengths differ or any value is not close. The message has the largest absolute and
 * relative error, their indices and both tolerances.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what = 'values',
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values where ${expected.length} were expected.`);
  const { ok, worst, absolute, relative } = closeness(actual, expected, tolerance);
  if (ok) return;
  const described = ({ error, index }: IndexedError): string =>
    `${error.toExponential(3)} at ${index}`;
  throw new Error(
    `${what}: not close. ` +
      `Worst at ${worst.index}: got ${worst.actual}, expected ${worst.expected}. ` +
      `Largest absolute error ${described(absolute)} (atol ${tolerance.atol}), ` +
      `largest relative error ${described(relative)} (rtol ${tolerance.rtol}), ` +
      `of ${expected.length} values.`,
  );
}
