import { expect, it } from 'vitest';
import { loadTuned, type TunedFile } from './tuned.ts';

const file = (splits: number): TunedFile => ({
  kernels: 1,
  devices: { 'a card, a browser': { 'nn 8x8x8': { tile: 'small', splits, columns: 'staged' } } },
  runs: [],
});

/** Waits for the worker's file; the time limit is the test's. */
async function written(wanted: TunedFile): Promise<TunedFile> {
  for (;;) {
    const found = await loadTuned();
    if (JSON.stringify(found) === JSON.stringify(wanted)) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('keeps what was found, the later in place of the earlier, a shorter one too', async () => {
  for (const wanted of [file(1000), file(1)]) {
    const worker = new Worker(new URL('./testing_tuned_worker.ts', import.meta.url), {
      type: 'module',
      name: JSON.stringify(wanted),
    });
    expect(await written(wanted)).toEqual(wanted);
    worker.terminate();
  }
  await (await navigator.storage.getDirectory()).removeEntry('kernels.json');
  expect(await loadTuned()).toEqual({ kernels: 1, devices: {}, runs: [] });
}, 30_000);
