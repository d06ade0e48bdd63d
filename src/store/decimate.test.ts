import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerBound, m4, movingAverage } from './decimate.ts';

const steps = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => i);

describe('m4', () => {
  it('keeps minima, maxima, first and last within its budget, whatever the data', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
          minLength: 1,
          maxLength: 3000,
        }),
        fc.integer({ min: 8, max: 400 }),
        (values, budget) => {
          const y = Float64Array.from(values);
          const kept = m4(steps(y.length), y, budget);
          expect(kept.length).toBeLessThanOrEqual(budget);
          expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
          const shown = kept.map((index) => y[index] ?? NaN);
          expect(Math.max(...shown)).toBe(Math.max(...y));
          expect(Math.min(...shown)).toBe(Math.min(...y));
          expect([kept[0], kept.at(-1)]).toEqual([0, y.length - 1]);
        },
      ),
      { seed: 4, numRuns: 300 },
    );
  });

  it('keeps a spike of one step among 50,000', () => {
    const y = new Float64Array(50_000);
    y[31_337] = 1;
    expect(m4(steps(y.length), y, 300)).toContain(31_337);
  });

  it('shows a zoomed part and one neighbour on either side', () => {
    expect(m4(steps(1000), new Float64Array(1000), 50, { from: 100, to: 105 })).toEqual([
      99, 100, 101, 102, 103, 104, 105, 106,
    ]);
  });

  it('gives nothing for nothing', () => {
    expect(m4(new Float64Array(0), new Float64Array(0), 300)).toEqual([]);
  });
});

describe('movingAverage', () => {
  /** A loss without noise: a steep start, then a slow fall. */
  const falling = (length: number): Float64Array =>
    steps(length).map((step) => 1.9 + 2.3 * Math.exp(-step / (0.08 * length)));

  it('is bias-corrected: a constant stays, from the first point on', () => {
    for (const value of movingAverage(steps(50), new Float64Array(50).fill(3), 0.1))
      expect(value).toBeCloseTo(3, 12);
  });
  it.each([40, 120, 400, 5000])('lies on the loss of a run of %i steps', (length) => {
    const loss = falling(length);
    const average = movingAverage(steps(length), loss, 0.03);
    const errors = average.map((value, i) => Math.abs(value - (loss[i] ?? NaN)));
    expect(Math.max(...errors)).toBeLessThan(0.04);
  });
  it('removes most of the noise of a long run', () => {
    const noise = steps(4000).map((step) => Math.sin(step * step));
    const late = movingAverage(steps(4000), noise, 0.03).slice(1000);
    expect(Math.max(...late.map(Math.abs))).toBeLessThan(0.35);
  });
  it('does not change what was drawn when the run grows', () => {
    const short = movingAverage(steps(100), falling(1000).slice(0, 100), 0.05);
    expect(movingAverage(steps(1000), falling(1000), 0.05).slice(0, 100)).toEqual(short);
  });
  it('weighs by the distance of steps, so that a thinned series has the same average', () => {
    const y = steps(2000).map((step) => Math.cos(step / 300));
    const every = (values: Float64Array): Float64Array => values.filter((_, i) => i % 4 === 0);
    const full = movingAverage(steps(2000), y, 0.1);
    const thinned = movingAverage(every(steps(2000)), every(y), 0.1);
    expect(thinned.at(-1)).toBeCloseTo(full.at(-4) ?? NaN, 1);
  });
  it('is the series itself at a share of 0', () => {
    const y = Float64Array.of(4, 1, 3);
    expect(movingAverage(steps(3), y, 0)).toEqual(y);
  });
});

describe('lowerBound', () => {
  it.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [9, 3],
  ])('of %i is %i', (bound, index) => {
    expect(lowerBound(Float64Array.of(1, 3, 5), bound)).toBe(index);
  });
});
