import { expect, it } from 'vitest';
import { partsFor } from './submit.ts';

it('cuts what takes long, in parts of about a quarter of a second, and nothing else', () => {
  expect([0.6, 20, 499].map((ms) => partsFor(ms, 130))).toEqual([1, 1, 1]);
  expect([501, 1000, 2600].map((ms) => partsFor(ms, 130))).toEqual([3, 4, 11]);
  expect(partsFor(60_000, 130)).toBe(130);
});

it('is careful with what was never measured', () => {
  expect([10, 130, 185].map((dispatches) => partsFor(NaN, dispatches))).toEqual([1, 3, 4]);
});
