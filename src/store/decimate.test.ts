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
  it('is debiased: a constant stays, from the first point on', () => {
    for (const value of movingAverage(new Float64Array(50).fill(3), 10))
      expect(value).toBeCloseTo(3, 12);
  });
  it('weighs a value a span back by 1/e', () => {
    const y = new Float64Array(2000);
    y[1900] = 1;
    const average = movingAverage(y, 20);
    expect((average[1920] ?? 0) / (average[1900] ?? 1)).toBeCloseTo(Math.exp(-1), 9);
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
