import { expect, test } from 'vitest';
import { expectClose } from './expect_close.ts';

const tolerance = { atol: 1e-3, rtol: 1e-2 };

test('values within either tolerance pass', () => {
  expectClose([0.0009, 101], [0, 100], tolerance);
  expectClose([NaN, Infinity, -Infinity], [NaN, Infinity, -Infinity], tolerance);
});

test('a value outside of both tolerances fails, and the message has the numbers', () => {
  expect(() => expectClose([1, 2.5, 3], [1, 2, 3], tolerance, 'y')).toThrow(
    /y: not close. Worst at 1: got 2.5, expected 2.*5.000e-1 at 1 \(atol 0.001\).*2.500e-1 at 1 \(rtol 0.01\)/,
  );
});

test.each([
  [NaN, 0],
  [0, NaN],
  [NaN, Infinity],
  [Infinity, -Infinity],
  [Infinity, 1e30],
  [1e30, Infinity],
])('%d is never close to %d', (a, b) => {
  expect(() => expectClose([a], [b], { atol: 1e30, rtol: 1 })).toThrow('not close');
});

test('values of different lengths fail', () => {
  expect(() => expectClose([1], [1, 2], tolerance)).toThrow('1 values where 2');
});

test('tolerances of zero require equality', () => {
  expectClose([0.1], [0.1], { atol: 0, rtol: 0 });
  expect(() => expectClose([0.1 + 1e-16 * 2], [0.1], { atol: 0, rtol: 0 })).toThrow('not close');
});
