import { expect, it } from 'vitest';
import { partsFor } from './pace.ts';

it('cuts only submits that take long, into parts of about a quarter of a second', () => {
  expect([0.6, 20, 499].map((ms) => partsFor(ms, 130))).toEqual([1, 1, 1]);
  expect([501, 1000, 2600].map((ms) => partsFor(ms, 130))).toEqual([3, 4, 11]);
});

it('does not cut a dispatch', () => {
  expect(partsFor(60_000, 130)).toBe(130);
});

it('submits at most 48 dispatches at once before the first measurement', () => {
  expect([10, 130, 185].map((dispatches) => partsFor(NaN, dispatches))).toEqual([1, 3, 4]);
});
