import { expect, test } from 'vitest';
import { sortSegments } from './segments.ts';

test('groups positions by id and keeps their order within an id', () => {
  const { sorted, starts } = sortSegments(Int32Array.from([3, 0, 3, 1, 0, 3]), 5);
  expect([...starts]).toEqual([0, 2, 3, 3, 6, 6]);
  expect([...sorted]).toEqual([1, 4, 3, 0, 2, 5]);
});

test('accepts an empty list of ids', () => {
  expect(sortSegments(new Int32Array(0), 2)).toEqual({
    sorted: new Int32Array(0),
    starts: new Int32Array(3),
  });
});

test.each([-1, 5])('rejects id %d with a vocabulary of 5', (id) => {
  expect(() => sortSegments(Int32Array.from([0, id]), 5)).toThrow(
    `Token id ${id} is outside the vocabulary of 5.`,
  );
});
