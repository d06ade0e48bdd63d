/** The engine with real threads: many short commands, and helpers that stop. */
import { afterEach, expect, test } from 'vitest';
import type { LeaderReport, LeaderTask } from './testing_leader.ts';

const leaders: Worker[] = [];
afterEach(() => {
  for (const leader of leaders.splice(0)) leader.terminate();
});

/** Performs the task in a worker of its own. */
function lead(task: LeaderTask): Promise<LeaderReport & { leader: Worker }> {
  const leader = new Worker(new URL('./testing_leader.ts', import.meta.url), { type: 'module' });
  leaders.push(leader);
  return new Promise((resolve, reject) => {
    leader.addEventListener('message', ({ data }: MessageEvent<LeaderReport>) =>
      resolve({ ...data, leader }),
    );
    leader.addEventListener('error', ({ message }) => reject(new Error(message)));
    leader.postMessage(task);
  });
}

test('tests run in a page that is isolated, so that memory can be shared', () => {
  expect(crossOriginIsolated).toBe(true);
});

test.each([
  { threads: 2, spins: 0, commands: 100_000 },
  { threads: 2, spins: 1, commands: 100_000 },
  { threads: 2, commands: 100_000 },
  { threads: 3, spins: 0, commands: 20_000 },
  { threads: 3, commands: 20_000 },
])('no chunk is lost or added twice by %o', async (task) => {
  const report = await lead(task);
  expect(report).toMatchObject({ threads: task.threads, wrong: 0, stopped: null });
});

test('a helper that the browser ends is noticed, and the engine cannot be used any more', async () => {
  const { stopped } = await lead({ threads: 2, commands: 1000, endsHelper: true });
  expect(stopped).toEqual({
    reason: 'it did not answer any more',
    isThreadStopped: true,
    again: true,
  });
});

/** Index of the word on which helpers sleep between two lists (LISTS in assembly/threads.ts). */
const LISTS = 320 / 4;

test('ending the leader ends helpers that sleep: nothing is left behind', async () => {
  const { memory, leader } = await lead({ threads: 3, commands: 20, rests: true });
  if (!memory) throw new Error('The leader reported no memory.');
  const words = new Int32Array(memory.buffer);
  // Whoever is woken finds no list and sleeps again, so a look may find it awake.
  const sleepers = (): number => Atomics.notify(words, LISTS);
  await expect.poll(sleepers, { interval: 200, timeout: 10_000 }).toBe(2);
  leader.terminate();
  let looksWithoutSleepers = 0;
  for (let look = 0; look < 50 && looksWithoutSleepers < 3; look++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    looksWithoutSleepers = sleepers() === 0 ? looksWithoutSleepers + 1 : 0;
  }
  expect(looksWithoutSleepers).toBe(3);
});
