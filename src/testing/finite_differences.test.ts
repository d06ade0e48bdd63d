import { expect, test } from 'vitest';
import { expectClose } from './expect_close.ts';
import { checkedIndices, finiteDifferences, MAX_CHECKED, project } from './finite_differences.ts';
import { caseRandom } from './random.ts';

test('the derivative of a known function, near zero and far from it', () => {
  const x = caseRandom(1).values([4], [0, 0.5, -2, 1000]);
  const f = () => x.data.reduce((s, v) => s + Math.sin(v) * v, 0);
  expectClose(
    finiteDifferences(x, [0, 1, 2, 3], f),
    [...x.data].map((v) => Math.sin(v) + v * Math.cos(v)),
    { atol: 1e-7, rtol: 1e-6 },
  );
});

test('the input is left as it was', () => {
  const x = caseRandom(2).normal([5]);
  const before = [...x.data];
  finiteDifferences(x, [0, 4], () => x.data.reduce((a, b) => a + b, 0));
  expect([...x.data]).toEqual(before);
});

test('of a large input a spread is checked, both ends among it', () => {
  const indices = checkedIndices(10_000);
  expect(indices).toHaveLength(MAX_CHECKED);
  expect([indices[0], indices[MAX_CHECKED - 1]]).toEqual([0, 9999]);
  expect(new Set(indices).size).toBe(MAX_CHECKED);
});

test('a projection is a weighted sum of the named outputs', () => {
  const r = caseRandom(3);
  const y = r.values([2], [1, 2]);
  const z = r.values([1], [10]);
  expect(project({ y, z }, { y: r.values([2], [3, 4]) }, ['y', 'z'])).toBe(11);
});

test('case values are float32 numbers, and the same for the same seed', () => {
  const a = caseRandom(7).normal([50], 2, 1);
  const b = caseRandom(7).normal([50], 2, 1);
  expect([...a.data]).toEqual([...b.data]);
  expect([...a.data].every((v) => v === Math.fround(v))).toBe(true);
  expect([...caseRandom(8).normal([50], 2, 1).data]).not.toEqual([...a.data]);
});
