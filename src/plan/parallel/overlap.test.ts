import { expect, test } from 'vitest';
import { exposedCommunication, overlapFraction } from './overlap.ts';

test('of k equal buckets that are faster than the pass, the last one is exposed', () => {
  const shape = { bytes: [5, 5, 5, 5], communication: 8, backward: 100 };
  expect(exposedCommunication(shape)).toBe(2);
  expect(overlapFraction(shape)).toBe(0.75);
});

test('one bucket is not hidden at all', () => {
  expect(overlapFraction({ bytes: [7], communication: 3, backward: 100 })).toBe(0);
  expect(overlapFraction({ bytes: [], communication: 0, backward: 1 })).toBe(0);
});

test('a reduction slower than the pass hides what follows the first bucket', () => {
  // The first bucket is complete after 5 of 10, and both together take 40.
  const shape = { bytes: [1, 1], communication: 40, backward: 10 };
  expect(exposedCommunication(shape)).toBe(35);
  expect(overlapFraction(shape)).toBe(5 / 40);
});
