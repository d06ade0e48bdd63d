import { expect, test } from 'vitest';
import { documentStartsOf } from './documents.ts';

test('every row has the first row of its document', () => {
  expect([...documentStartsOf([2, 3], 5)]).toEqual([0, 0, 2, 2, 2]);
});

test('padding rows are documents of their own', () => {
  expect([...documentStartsOf([2], 5)]).toEqual([0, 0, 2, 3, 4]);
  expect([...documentStartsOf([], 2)]).toEqual([0, 1]);
});

test('documents must have tokens and fit the sequence', () => {
  expect(() => documentStartsOf([0], 2)).toThrow('A document cannot have 0 tokens.');
  expect(() => documentStartsOf([2, 1], 2)).toThrow('Documents of 2 + 1 tokens do not fit 2 rows.');
});
