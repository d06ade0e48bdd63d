/** Which number of threads is found to be the fastest, with a clock of our own. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { countsUpTo, fastestThreads } from './fastest_threads.ts';
import { Engine, loadBuild } from './index.ts';

beforeAll(useBuildsFromFiles);
afterEach(() => vi.restoreAllMocks());

/** An engine of one thread that claims to have more, and takes `ms` for the list. */
async function pretending(ms: (threads: number) => number, started = Infinity) {
  const engine = await Engine.start(await loadBuild('plain'));
  let threads = 1;
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(engine.threads, 'use').mockImplementation(async (count) => {
    threads = Math.min(count, started);
    return threads;
  });
  const run = engine.run.bind(engine);
  vi.spyOn(engine, 'run').mockImplementation((begin, end) => {
    run(begin, end);
    now += ms(threads);
  });
  return engine;
}

describe('the fastest number of threads', () => {
  test('is all of them if they all pay', async () => {
    expect(await fastestThreads(await pretending((threads) => 12 / threads), 12)).toBe(12);
  });

  test('is the number of cores if logical processors share them', async () => {
    const engine = await pretending((threads) => 12 / Math.min(threads, 4));
    expect(await fastestThreads(engine, 8)).toBe(4);
  });

  test('is one if two are hardly faster', async () => {
    expect(await fastestThreads(await pretending((threads) => 10 - 0.2 * threads), 2)).toBe(1);
  });

  test('is what could be started', async () => {
    expect(await fastestThreads(await pretending((threads) => 12 / threads, 3), 12)).toBe(2);
  });

  test('leaves no memory behind', async () => {
    const engine = await pretending((threads) => 12 / threads);
    const before = engine.heap.use;
    await fastestThreads(engine, 4);
    expect(engine.heap.use).toMatchObject({ allocated: before.allocated, blocks: before.blocks });
  });

  test('is looked for among powers of two, and all', () => {
    expect(countsUpTo(1)).toEqual([]);
    expect(countsUpTo(2)).toEqual([2]);
    expect(countsUpTo(6)).toEqual([2, 4, 6]);
    expect(countsUpTo(8)).toEqual([2, 4, 8]);
  });
});
