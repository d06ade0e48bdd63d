import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Patience, type SharedWork } from './patience.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const take = async (patience: Patience, work: SharedWork, ms: number): Promise<void> => {
  const ended = patience.during(work, () => new Promise<void>((done) => setTimeout(done, ms)));
  await vi.advanceTimersByTimeAsync(ms);
  await ended;
};

test('a rank may take three of the longest steps, and two minutes for the first one', async () => {
  const patience = new Patience();
  expect(patience.ms).toBe(120_000);
  await take(patience, 'step', 100);
  expect(patience.ms).toBe(1000);
  await take(patience, 'step', 4000);
  await take(patience, 'step', 100);
  expect(patience.ms).toBe(12_000);
});

test('a rank that the page makes slow may take as many times longer from then on', async () => {
  const patience = new Patience();
  await take(patience, 'step', 1000);
  patience.slow(1, 8);
  expect(patience.ms).toBe(24_000);
  await take(patience, 'step', 8000);
  expect(patience.ms).toBe(24_000);
  patience.slow(1, 1);
  // It may still be slow in the step in which the page ends this.
  expect(patience.ms).toBe(24_000);
  await take(patience, 'step', 1000);
  expect(patience.ms).toBe(3000);
});

test('evaluations are measured by evaluations', async () => {
  const patience = new Patience();
  await take(patience, 'step', 100);
  const evaluation = patience.during('evaluation', () => Promise.resolve(patience.ms));
  expect(await evaluation).toBe(120_000);
  await take(patience, 'evaluation', 9000);
  expect(patience.ms).toBe(27_000);
});

test('a first save may take ten seconds, and a later one three of the longest', async () => {
  const patience = new Patience();
  await take(patience, 'step', 100);
  const save = patience.during('save', () => Promise.resolve(patience.ms));
  expect(await save).toBe(10_000);
  await take(patience, 'save', 2000);
  expect(patience.ms).toBe(6000);
});

test('answers of a rank may be much longer than before', async () => {
  const patience = new Patience();
  patience.samples = true;
  await take(patience, 'step', 100);
  expect(patience.ms).toBe(20_000);
});
