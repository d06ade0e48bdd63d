import { randomId } from '../../common/index.ts';
import * as v from 'valibot';
import { afterEach, describe, expect, it } from 'vitest';
import { cdp } from 'vitest/browser';
import { openRunStore } from './open_store.ts';
import type { Order } from './testing_worker.ts';

const Overfilled = v.object({ code: v.string(), before: v.number(), after: v.number() });

const workers: Worker[] = [];
let orders = 0;

/** A folder name that no other test uses. */
const freshFolder = () => `test-${randomId()}`;

function start(what: Order['what'], folder: string): { worker: Worker; answer: Promise<unknown> } {
  const order: Order = { what, folder, answer: `${folder}-${orders++}` };
  const worker = new Worker(new URL('./testing_worker.ts', import.meta.url), {
    type: 'module',
    name: JSON.stringify(order),
  });
  workers.push(worker);
  return { worker, answer: answerOf(order.answer) };
}

/** The answer of a worker, which is terminated then. */
async function ask(what: Order['what'], folder: string): Promise<unknown> {
  const { worker, answer } = start(what, folder);
  const value = await answer;
  worker.terminate();
  return value;
}

async function answerOf(name: string): Promise<unknown> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('answers');
      const json: unknown = JSON.parse(
        await (await (await folder.getFileHandle(name)).getFile()).text(),
      );
      if (typeof json === 'object' && json !== null && 'value' in json) return json.value;
    } catch {
      // Not written yet, or not completely.
    }
  }
  throw new Error(`no answer ${name}`);
}

afterEach(() => workers.splice(0).forEach((worker) => worker.terminate()));

describe('OPFS', () => {
  it('keeps a run, its text and its metrics for the next worker', async () => {
    const folder = freshFolder();
    expect(await ask('save', folder)).toMatchObject({
      refused: null,
      list: [{ run: 'a', step: 2, resumable: true, locked: true }],
      storage: { available: true },
    });
    expect(await ask('load', folder)).toEqual({
      step: 2,
      recovered: false,
      whole: true,
      text: 'hi',
      steps: [1, 2],
    });
    expect(await ask('delete', folder)).toEqual({ list: [], left: [] });
  });

  it('lets only one worker open a run, whose metrics the others can read', async () => {
    const folder = freshFolder();
    await ask('save', folder);
    const holder = start('hold', folder);
    expect(await holder.answer).toBe('a');
    expect(await ask('load', folder)).toEqual({ code: 'run_locked' });
    expect(await ask('delete', folder)).toEqual({ code: 'run_locked' });
    expect(await ask('look', folder)).toMatchObject({ list: [{ locked: true }], metrics: [1, 2] });
    holder.worker.terminate();
    expect(await ask('load', folder)).toMatchObject({ whole: true });
  });

  it('loads an intact checkpoint after the worker was killed while saving', async () => {
    const folder = freshFolder();
    await ask('save', folder);
    for (let kill = 0; kill < 6; kill++) {
      const saver = start('save_forever', folder);
      expect(await saver.answer).toEqual({ started: true });
      await new Promise((resolve) => setTimeout(resolve, 13 * kill));
      saver.worker.terminate();
      expect(await ask('load', folder)).toMatchObject({ whole: true, recovered: false });
    }
  });

  // The weights and moments (6 MB) do not fit beside the last checkpoint; the index, the answer and
  // other small files do.
  it('reports a full storage, and leaves the last checkpoint and the metrics untouched', async () => {
    const folder = freshFolder();
    await ask('save', folder);
    const { usage = 0 } = await navigator.storage.estimate();
    await cdp().send('Storage.overrideQuotaForOrigin', {
      origin: location.origin,
      quotaSize: usage + 500_000,
    });
    try {
      expect(await ask('fill', folder)).toEqual({ code: 'storage_full' });
      const { code, before, after } = v.parse(Overfilled, await ask('overfill', folder));
      expect(code).toBe('storage_full');
      expect(after).toBe(before);
    } finally {
      await cdp().send('Storage.overrideQuotaForOrigin', { origin: location.origin });
    }
    expect(await ask('load', folder)).toMatchObject({ step: 2, whole: true, recovered: false });
  });

  it('falls back to memory, and says why, if there are no synchronous handles', async () => {
    const store = await openRunStore(freshFolder());
    expect(store.refused?.code).toBe('storage_refused');
    expect(await store.storage()).toMatchObject({ available: false });
  });
});
