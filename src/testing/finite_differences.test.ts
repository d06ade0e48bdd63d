import { expect, test } from 'vitest';
import { expectClose } from './expect_close.ts';
import { checkedIndices, finiteDifferences, MAX_CHECKED, project } from './finite_differences.ts';
import { caseRandom } from './random.ts';

test('finite differences match the derivative of a known function', () => {
  const x = caseRandom(1).values([4], [0, 0.5, -2, 1000]);
  const scalar = () => x.data.reduce((sum, v) => sum + Math.sin(v) * v, 0);
  const derivative = [...x.data].map((v) => Math.sin(v) + v * Math.cos(v));
  const tolerance = { atol: 1e-7, rtol: 1e-6 };
  expectClose(finiteDifferences(x, [0, 1, 2, 3], scalar), derivative, tolerance);
});

test('finite differences restore the input', () => {
  const x = caseRandom(2).normal([5]);
  const before = [...x.data];
  finiteDifferences(x, [0, 4], () => x.data.reduce((a, b) => a + b, 0));
  expect([...x.data]).toEqual(before);
});

test('distinct indices of a large input are checked, both ends included', () => {
  const indices = checkedIndices(10_000);
  expect(indices).toHaveLength(MAX_CHECKED);
  expect([indices[0], indices[MAX_CHECKED - 1]]).toEqual([0, 9999]);
  expect(new Set(indices).size).toBe(MAX_CHECKED);
});

test('a projection is the weighted sum of the named outputs', () => {
  const random = caseRandom(3);
  const y = random.values([2], [1, 2]);
  const z = random.values([1], [10]);
  expect(project({ y, z }, { y: random.values([2], [3, 4]) }, ['y', 'z'])).toBe(11);
});

test('case values are float32 numbers and depend only on the seed', () => {
  const first = caseRandom(7).normal([50], 2, 1);
  const second = caseRandom(7).normal([50], 2, 1);
  expect([...first.data]).toEqual([...second.data]);
  expect([...first.data].every((v) => v === Math.fround(v))).toBe(true);
  expect([...caseRandom(8).normal([50], 2, 1).data]).not.toEqual([...first.data]);
});
