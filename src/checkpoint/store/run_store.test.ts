import { describe, expect, it } from 'vitest';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks, type Locks } from './locks.ts';
import { RunStore } from './run_store.ts';
import { codeOfAsync, tinyState } from '../testing_states.ts';
import type { CheckpointState } from '../checkpoint_state.ts';

const state = (step: number, seed = step): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1 }, seed),
  step,
});
const NEW = { id: 'a', name: 'First', config: state(0).config, n_params: 100 };

/**
 * A file system that stops, as a tab that is closed does, after a number of writes: that write is
 * cut in half, and nothing follows.
 */
class DyingFileSystem extends MemoryFileSystem {
  private die: (value: false) => void = () => undefined;
  readonly death = new Promise<false>((resolve) => {
    this.die = resolve;
  });
  constructor(private left: number) {
    super();
  }
  override async write(path: string, bytes: Uint8Array): Promise<void> {
    await super.write(path, this.left > 0 ? bytes : bytes.subarray(0, bytes.length >> 1));
    if (this.left-- > 0) return;
    this.die(false);
    return new Promise(() => undefined);
  }
  revived(): MemoryFileSystem {
    const fs = new MemoryFileSystem();
    for (const [path, bytes] of this.files) fs.files.set(path, bytes);
    return fs;
  }
}

const fresh = (fs = new MemoryFileSystem(), locks: Locks = new MemoryLocks()) => ({
  fs,
  locks,
  store: new RunStore(fs, locks, null),
});

describe('the library', () => {
  it('lists, renames, duplicates and deletes', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.save(state(5));
    await run.saveText({ name: 'mine.csv', bytes: Uint8Array.of(1, 2), column: 'body' });
    await run.appendMetrics({ step: Float64Array.of(1), loss: Float64Array.of(2) });
    expect(await store.list()).toMatchObject([
      {
        run: 'a',
        name: 'First',
        step: 5,
        val_loss: 2.25,
        locked: true,
        resumable: true,
        max_iters: 1000,
      },
    ]);
    await store.rename('a', 'Renamed');
    await store.duplicate('a', 'b', 'Copy');
    expect((await store.list()).map((r) => [r.run, r.name, r.locked]).sort()).toEqual([
      ['a', 'Renamed', true],
      ['b', 'Copy', false],
    ]);
    const copy = await store.open('b');
    expect((await copy.load())?.state.parameters).toEqual(state(5).parameters);
    expect(await copy.loadText()).toEqual({
      name: 'mine.csv',
      bytes: Uint8Array.of(1, 2),
      column: 'body',
    });
    expect((await copy.readMetrics()).step).toEqual(Float64Array.of(1));
    expect(await codeOfAsync(store.delete('b'))).toBe('run_locked');
    await copy.close();
    await store.delete('b');
    expect((await store.list()).map((r) => r.run)).toEqual(['a']);
    expect([...fs.files.keys()].filter((path) => path.startsWith('runs/b'))).toEqual([]);
  });
  it('gives a run to one tab alone', async () => {
    const { fs, locks, store } = fresh();
    const other = new RunStore(fs, locks, null);
    const run = await store.create(NEW);
    expect(await codeOfAsync(other.open('a'))).toBe('run_locked');
    expect(await codeOfAsync(other.duplicate('a', 'b', 'Copy'))).toBe('run_locked');
    expect(await codeOfAsync(store.create(NEW))).toBe('run_locked');
    expect((await other.list())[0]?.locked).toBe(true);
    await run.close();
    expect(await codeOfAsync(run.save(state(1)))).toBe('run_missing');
    await expect(other.open('a')).resolves.toBeDefined();
  });
  it('knows no run that is not there, and no path for a name', async () => {
    const { store } = fresh();
    expect(await codeOfAsync(store.open('nothing'))).toBe('run_missing');
    expect(await codeOfAsync(store.open('../a'))).toBe('run_missing');
    expect(await codeOfAsync(store.delete('a/b'))).toBe('run_missing');
  });
  it('finds runs again whose index was lost', async () => {
    const { store, fs } = fresh();
    await (await store.create(NEW)).save(state(7));
    await fs.remove('index.json.0');
    await fs.remove('index.json.1');
    expect(await store.list()).toMatchObject([
      { run: 'a', name: 'First', step: 7, resumable: true, val_loss: 2.25 },
    ]);
  });
});

describe('checkpoints', () => {
  it('keep the last two and open the one before where the last is damaged', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    expect(await run.load()).toBeNull();
    for (const step of [1, 2, 3]) await run.save(state(step));
    expect(
      (await fs.list('runs/a')).filter((name) => name.startsWith('checkpoint')).sort(),
    ).toEqual(['checkpoint-2', 'checkpoint-3']);
    const last = await run.load();
    expect([last?.state.step, last?.recovered]).toEqual([3, false]);
    expect(last?.state.optimizer).toEqual(state(3).optimizer);
    const path = 'runs/a/checkpoint-3/model.safetensors';
    const bytes = fs.files.get(path) ?? new Uint8Array();
    fs.files.set(path, bytes.subarray(1));
    const before = await run.load();
    expect([before?.state.step, before?.recovered]).toEqual([2, true]);
    fs.files.delete('runs/a/checkpoint-2/config.json');
    expect(await codeOfAsync(run.load())).toBe('truncated');
  });

  it('survive a tab that dies at any write of the next one', async () => {
    let died = 0;
    for (let writes = 0; ; writes++) {
      const alive = fresh();
      const run = await alive.store.create(NEW);
      await run.save(state(1));
      await run.save(state(2));
      const dying = new DyingFileSystem(writes);
      for (const [path, bytes] of alive.fs.files) dying.files.set(path, bytes);
      const doomed = await new RunStore(dying, new MemoryLocks(), null).open('a');
      const finished = await Promise.race([doomed.save(state(3)).then(() => true), dying.death]);
      const { store } = fresh(dying.revived());
      const loaded = await (await store.open('a')).load();
      expect(loaded?.recovered).toBe(false);
      expect(loaded?.state.parameters).toEqual(state(loaded?.state.step ?? 0).parameters);
      if (finished) {
        expect(loaded?.state.step).toBe(3);
        break;
      }
      died++;
      expect([2, 3]).toContain(loaded?.state.step);
      const again = await store.list();
      expect(again.map((r) => r.run)).toEqual(['a']);
    }
    // Eight files, the pointer and the index.
    expect(died).toBe(10);
  });

  it('say that the storage is full, and leave the last one untouched', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.save(state(1));
    fs.quota = (await store.storage()).used + 100;
    expect(await codeOfAsync(run.save(state(2)))).toBe('storage_full');
    expect((await run.load())?.state.step).toBe(1);
    expect(await fs.list('runs/a')).not.toContain('checkpoint-2');
  });

  it('give up the one before the last to make room', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.save(state(1));
    await run.save(state(2));
    fs.quota = (await store.storage()).used + 1000;
    await run.save(state(3));
    expect((await run.load())?.state.step).toBe(3);
    expect(
      (await fs.list('runs/a')).filter((name) => name.startsWith('checkpoint')).sort(),
    ).toEqual(['checkpoint-2', 'checkpoint-3']);
  });
});

describe('metrics', () => {
  const row = (step: number, loss: number) => ({
    step: Float64Array.of(step),
    loss: Float64Array.of(loss),
  });
  it('are appended, survive a line cut short, and rewind with the run', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    const path = 'runs/a/metrics.jsonl';
    await Promise.all([1, 2, 3].map((step) => run.appendMetrics(row(step, step))));
    fs.files.set(path, (fs.files.get(path) ?? new Uint8Array()).slice(0, -3));
    await run.rewindMetrics(1);
    await run.appendMetrics(row(2, 20));
    expect(await store.readMetrics('a')).toEqual({
      step: Float64Array.of(1, 2),
      loss: Float64Array.of(1, 20),
    });
  });
});
