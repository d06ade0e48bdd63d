/** Training and generation on the engine on the processor with several threads. */
import { afterEach, expect, it } from 'vitest';
import type { ThreadsResult, ThreadsTask } from './testing_training.ts';

const workers: Worker[] = [];
afterEach(() => {
  for (const worker of workers.splice(0)) worker.terminate();
});

/** What each number of threads computes, in one worker. */
function compute(task: ThreadsTask): Promise<ThreadsResult[]> {
  const worker = new Worker(new URL('./testing_training.ts', import.meta.url), { type: 'module' });
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<ThreadsResult[]>) => resolve(data));
    worker.addEventListener('error', ({ message }) => reject(new Error(message)));
    worker.postMessage(task);
  });
}

it('has the same bits with 1, 2 and 4 threads', async () => {
  const [one, two, four] = await compute({ threads: [1, 2, 4] });
  expect([one, two, four].map((result) => result?.threads)).toEqual([1, 2, 4]);
  expect({ ...two, threads: 1 }).toEqual(one);
  expect({ ...four, threads: 1 }).toEqual(one);
  expect(new Set(one?.losses).size).toBe(6);
  expect(one?.losses.every(Number.isFinite)).toBe(true);
  expect(new Set(one?.ids.flat()).size).toBeGreaterThan(3);
});
