import { expect, it } from 'vitest';
import { heapBytes, HeapWatch } from './heap.ts';

it('takes the page’s own heap where the whole is not told, and nothing where nothing is', async () => {
  expect(await heapBytes({ memory: { usedJSHeapSize: 7 } })).toBe(7);
  expect(await heapBytes({})).toBe(null);
});

it('measures at most once in ten seconds, and never again where the browser refuses', async () => {
  let now = 0;
  let calls = 0;
  let refuse = false;
  const told: number[] = [];
  const watch = new HeapWatch(
    (b) => told.push(b),
    () => {
      calls++;
      return refuse ? Promise.reject(new Error('no')) : Promise.resolve(calls);
    },
    () => now,
  );
  watch.due();
  watch.due();
  now = 10_000;
  refuse = true;
  watch.due();
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  now = 50_000;
  watch.due();
  expect([calls, told]).toEqual([2, [1]]);
});
