/**
 * Results of the engine on the processor do not depend on the number of threads: training, generation
 * and every operation.
 */
import { afterEach, expect, it } from 'vitest';
import type { OperationsReport, OperationsTask } from './testing_operations.ts';
import type { ThreadsResult, ThreadsTask } from './testing_training.ts';

const workers: Worker[] = [];
afterEach(() => {
  for (const worker of workers.splice(0)) worker.terminate();
});

/** What a worker answers to a task. */
function ask<Answer>(worker: Worker, task: ThreadsTask | OperationsTask): Promise<Answer> {
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => resolve(data));
    worker.addEventListener('error', ({ message }) => reject(new Error(message)));
    worker.postMessage(task);
  });
}

it('has the same bits with 1, 2 and 4 threads in training and generation', async () => {
  const worker = new Worker(new URL('./testing_training.ts', import.meta.url), { type: 'module' });
  const [one, two, four] = await ask<ThreadsResult[]>(worker, { threads: [1, 2, 4] });
  expect([one, two, four].map((result) => result?.threads)).toEqual([1, 2, 4]);
  expect({ ...two, threads: 1 }).toEqual(one);
  expect({ ...four, threads: 1 }).toEqual(one);
  expect(new Set(one?.losses).size).toBe(6);
  expect(one?.losses.every(Number.isFinite)).toBe(true);
  expect(new Set(one?.ids.flat()).size).toBeGreaterThan(3);
});

it('has the same bits with 1, 2 and 4 threads in every operation', async () => {
  const worker = new Worker(new URL('./testing_operations.ts', import.meta.url), {
    type: 'module',
  });
  const report = await ask<OperationsReport>(worker, { threads: [1, 2, 4] });
  expect(report.threads).toEqual([1, 2, 4]);
  expect(report.different).toEqual([]);
  expect(report.operations.length).toBeGreaterThan(60);
  expect(report.compared).toBeGreaterThan(2 * report.operations.length);
});
