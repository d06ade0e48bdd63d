/** Commands about the library of runs, carried out by a session. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunStore } from '../checkpoint/index.ts';
import { MemoryLocks } from '../checkpoint/store/locks.ts';
import type { Event } from '../protocol/index.ts';
import { SessionHarness, startCommand, TEXT, tinyConfig } from './testing_session.ts';

let session: SessionHarness;
beforeEach(() => {
  // Errors are logged as well as reported to the page.
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  session = new SessionHarness();
});
afterEach(() => {
  session.send({ type: 'stop' });
  vi.restoreAllMocks();
});

const withId =
  (id: number) =>
  (event: { id?: number | undefined }): boolean =>
    event.id === id;

/** Trains a run to its end and closes it by starting the next one. */
async function finishedRuns(ids: readonly string[]): Promise<void> {
  for (const run of ids) {
    session.send(startCommand({ run, name: `Run ${run}` }));
    await session.next('saved', (event) => event.run === run && event.step === 20);
  }
}

const listed = (event: Extract<Event, { type: 'runs' }>): string[] =>
  event.runs.map(({ run }) => run).sort();

describe('deleting runs', () => {
  it('deletes several at once, the current one too, and restores them', async () => {
    await finishedRuns(['a', 'b', 'c']);
    session.send({ type: 'delete_runs', id: 1, runs: ['a', 'c'] });
    const after = await session.next('runs', withId(1));
    expect(listed(after)).toEqual(['b']);
    expect(after.deleted.map(({ run }) => run).sort()).toEqual(['a', 'c']);
    expect(after.notes).toEqual([]);
    session.send({ type: 'restore_runs', id: 2, runs: ['a', 'c'] });
    const restored = await session.next('runs', withId(2));
    expect(listed(restored)).toEqual(['a', 'b', 'c']);
    session.send({ type: 'resume', run: 'a', paused: true });
    await session.next('started', ({ run, step }) => run === 'a' && step === 20);
  });

  it('deletes what it can, and says which run another tab has open', async () => {
    await finishedRuns(['a', 'b', 'c']);
    const held = await session.store.open('b');
    session.send({ type: 'delete_runs', id: 1, runs: ['a', 'b'] });
    const { notes, ...after } = await session.next('runs', withId(1));
    expect(listed(after as Extract<Event, { type: 'runs' }>)).toEqual(['b', 'c']);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^“Run b” was not deleted: This run is already open/);
    await held.close();
  });

  it('removes deleted runs for good and frees their bytes', async () => {
    await finishedRuns(['a', 'b']);
    session.send({ type: 'delete_runs', id: 1, runs: ['a'] });
    session.send({ type: 'purge_runs', id: 2, runs: ['a'] });
    expect((await session.next('runs', withId(2))).deleted).toEqual([]);
    expect([...session.files.files.keys()].some((path) => path.startsWith('runs/a/'))).toBe(false);
  });
});

describe('storage', () => {
  it('counts all files of a run, and lists its last evaluation beside the best one', async () => {
    await finishedRuns(['a']);
    session.send({ type: 'list_runs' });
    const { runs } = await session.next('runs');
    const bytes = [...session.files.files]
      .filter(([path]) => path.startsWith('runs/a/'))
      .reduce((sum, [, { length }]) => sum + length, 0);
    expect(runs[0]?.bytes).toBe(bytes);
    expect(runs[0]).toHaveProperty('last_val_loss');
  });

  it('keeps a budget after each save, and says what it removed', async () => {
    await finishedRuns(['a', 'b']);
    expect(
      [...session.files.files.keys()].some((path) => /^runs\/a\/checkpoint-\d+/.test(path)),
    ).toBe(true);
    const generations = (run: string): number =>
      new Set(
        [...session.files.files.keys()].flatMap((path) =>
          path.startsWith(`runs/${run}/checkpoint-`) ? [path.split('/')[2]] : [],
        ),
      ).size;
    expect(generations('a')).toBe(2);
    await session.store.space.setBudget(1000);
    session.send(startCommand({ run: 'c' }));
    const { message } = await session.next('notice', (event) => event.message.includes('budget'));
    expect(message).toMatch(
      /the checkpoint before the last one of .* was removed\. That freed [\d.]+ kB/,
    );
    await vi.waitFor(() => expect(generations('a')).toBe(1));
    session.send({ type: 'set_budget', id: 5, bytes: null });
    expect((await session.next('runs', withId(5))).storage.budget).toBeNull();
  });
});

describe('backups', () => {
  it('go out while a run trains and come into another library with equal runs', async () => {
    await finishedRuns(['a']);
    session.send(
      startCommand({
        run: 'b',
        config: tinyConfig(({ training }) => {
          training.max_iters = 1_000_000;
        }),
      }),
    );
    await session.next('saved', ({ run }) => run === 'b');
    session.send({ type: 'back_up', id: 1, runs: ['a', 'b'] });
    const { file, runs, left_out } = await session.next('backup', withId(1));
    expect({ runs, left_out }).toEqual({ runs: 2, left_out: [] });
    expect(session.all('backup_progress').at(-1)?.job).toBe(1);

    const other = new SessionHarness();
    other.send({ type: 'restore_backup', id: 2, file });
    const restored = await other.next('backup_restored', withId(2));
    expect(restored).toMatchObject({ added: 2, equal: 0, left_out: [] });
    other.send({ type: 'resume', run: 'a', paused: true });
    const { step, name } = await other.next('started');
    expect({ step, name }).toEqual({ step: 20, name: 'Run a' });
    session.send({ type: 'stop' });
  });

  it('are answered when they are cancelled, and by one sentence if they are none', async () => {
    await finishedRuns(['a']);
    session.send({ type: 'back_up', id: 1, runs: ['a'] });
    session.send({ type: 'cancel_backup', job: 1 });
    const answer = await Promise.race([
      session.next('error', withId(1)),
      session.next('backup', withId(1)),
    ]);
    expect(answer.type === 'error' ? answer.error.code : 'done').toBe('cancelled');
    session.send({ type: 'restore_backup', id: 2, file: new Blob(['nothing']) });
    expect((await session.next('error', withId(2))).error.message).toContain('is not a zip file');
  });
});

describe('a run that ended before it was saved', () => {
  it('starts again with the text that it was started with', async () => {
    const config = tinyConfig();
    const lost = await session.store.create({ id: 'lost', name: 'Lost', config, n_params: 1 });
    await lost.saveText(TEXT);
    await lost.close();
    expect(await new RunStore(session.files, new MemoryLocks(), null).list()).toMatchObject([
      { run: 'lost', resumable: false },
    ]);
    session.send(startCommand({ run: 'again', text: undefined, text_of: 'lost', config }));
    expect((await session.next('data')).data.name).toBe('fox.txt');
    await session.next('saved', ({ run }) => run === 'again');
  });
});
