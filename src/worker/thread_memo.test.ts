/** The stored number of threads. */
import { expect, test } from 'vitest';
import { parseThreads } from './thread_memo.ts';

const MACHINE = '8 processors, a browser';
const kept = (change: object = {}): string =>
  JSON.stringify({ measurement: 1, machine: MACHINE, threads: 4, ...change });

test('is taken for the machine that it was measured on', () => {
  expect(parseThreads(kept(), MACHINE)).toBe(4);
  expect(parseThreads(kept(), '4 processors, a browser')).toBeNull();
});

test('is measured again if the file is of another version, damaged or impossible', () => {
  expect(parseThreads(kept({ measurement: 0 }), MACHINE)).toBeNull();
  expect(parseThreads(kept().slice(1), MACHINE)).toBeNull();
  expect(parseThreads(kept({ threads: 0 }), MACHINE)).toBeNull();
});
