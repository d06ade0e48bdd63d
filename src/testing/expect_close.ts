/**
 * Comparison by |actual - expected| <= atol + rtol |expected|, as `numpy.testing.assert_allclose`
 * and `torch.testing` do it.
 */

export interface Tolerance {
  atol: number;
  rtol: number;
}

export interface Closeness {
  ok: boolean;
  /** Largest absolute error, and where. */
  absolute: { error: number; index: number };
  /** Largest relative error among values that are not within atol of zero, and where. */
  relative: { error: number; index: number };
  /** The value that is furthest outside (or, if all are inside, nearest to the edge). */
  worst: { index: number; actual: number; expected: number };
}

/** NaN and infinities are equal to the same alone. */
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
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] ?? NaN;
    const e = expected[i] ?? NaN;
    const error =
      Object.is(a, e) || a === e
        ? 0
        : Number.isFinite(a) && Number.isFinite(e)
          ? Math.abs(a - e)
          : Infinity;
    const relative = error === 0 ? 0 : error / Math.abs(e);
    const share = error === 0 ? 0 : error / (atol + rtol * Math.abs(e));
    // An error of zero with both tolerances zero is inside; anything else (also NaN) must be at
    // most the bound.
    if (!(error === 0 || share <= 1)) result.ok = false;
    if (error > result.absolute.error) result.absolute = { error, index: i };
    if (Math.abs(e) > atol && relative > result.relative.error)
      result.relative = { error: relative, index: i };
    const rank = Number.isNaN(share) ? Infinity : share;
    if (rank > furthest) {
      furthest = rank;
      result.worst = { index: i, actual: a, expected: e };
    }
  }
  return result;
}

/**
 * Throws where any value is outside; the message has the worst absolute and relative error, where
 * they are, and both tolerances.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what = 'values',
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values where ${expected.length} were expected.`);
  const c = closeness(actual, expected, tolerance);
  if (c.ok) return;
  throw new Error(
    `${what}: not close. Worst at ${c.worst.index}: got ${c.worst.actual}, expected ${c.worst.expected}. ` +
      `Largest absolute error ${c.absolute.error.toExponential(3)} at ${c.absolute.index} (atol ${tolerance.atol}), ` +
      `largest relative error ${c.relative.error.toExponential(3)} at ${c.relative.index} (rtol ${tolerance.rtol}), of ${expected.length} values.`,
  );
}
