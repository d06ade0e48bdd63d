import { describe, expect, it } from 'vitest';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks, type Locks } from './locks.ts';
import { RunStore } from './run_store.ts';
import { removeSlots } from './slots.ts';
import { codeOfAsync, tinyState } from '../testing_states.ts';
import type { CheckpointState } from '../checkpoint_state.ts';
import type { Lineage, OwnText } from '../../common/index.ts';
import { DEFAULT_LINEAGE } from '../lineage.ts';

const state = (step: number, seed = step): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1 }, seed),
  step,
});
const NEW = { id: 'a', name: 'First', config: state(0).config, n_params: 100 };

/**
 * A file system that stops after a number of writes, like a tab that is closed: the last write stores
 * half of its bytes and never resolves.
 */
class DyingFileSystem extends MemoryFileSystem {
  #die: (value: false) => void = () => undefined;
  #writesLeft: number;
  readonly death = new Promise<false>((resolve) => {
    this.#die = resolve;
  });
  constructor(writes: number) {
    super();
    this.#writesLeft = writes;
  }
  override async write(path: string, bytes: Uint8Array): Promise<void> {
    const dies = this.#writesLeft-- <= 0;
    await super.write(path, dies ? bytes.subarray(0, bytes.length >> 1) : bytes);
    if (!dies) return;
    this.#die(false);
    return new Promise(() => undefined);
  }
  /** What the next tab finds. */
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

describe('RunStore', () => {
  it('lists, renames, duplicates and deletes', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.save(state(5));
    const own: OwnText = {
      name: 'mine.csv',
      bytes: Uint8Array.of(1, 2),
      files: [
        { name: 'a.csv', bytes: 1 },
        { name: 'b.csv', bytes: 1 },
      ],
      column: 'body',
      format: 'semicolon',
      keep_repeats: true,
    };
    await run.saveText(own);
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
    expect(await copy.loadText()).toEqual(own);
    expect((await copy.readMetrics()).step).toEqual(Float64Array.of(1));
    expect(await codeOfAsync(store.delete('b'))).toBe('run_locked');
    await copy.close();
    await store.delete('b');
    expect((await store.list()).map((r) => r.run)).toEqual(['a']);
    expect([...fs.files.keys()].filter((path) => path.startsWith('runs/b'))).toEqual([]);
  });
  it('lets only one tab open a run', async () => {
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
  it('refuses unknown runs, and paths as identifiers', async () => {
    const { store } = fresh();
    expect(await codeOfAsync(store.open('nothing'))).toBe('run_missing');
    expect(await codeOfAsync(store.open('../a'))).toBe('run_missing');
    expect(await codeOfAsync(store.delete('a/b'))).toBe('run_missing');
  });
  it('reports the lineage of a run before its first checkpoint and after it', async () => {
    const { store } = fresh();
    const lineage: Lineage = {
      objective: 'reward',
      parent: { kind: 'imported', name: 'gpt2.zip' },
      dataset: 'pairs.jsonl',
    };
    const run = await store.create({ ...NEW, lineage });
    await (await store.create({ ...NEW, id: 'b' })).close();
    const lineages = async () =>
      new Map((await store.list()).map((stored) => [stored.run, stored.lineage]));
    const expected = new Map([
      ['a', lineage],
      ['b', DEFAULT_LINEAGE],
    ]);
    expect(await lineages()).toEqual(expected);
    // A state without lineage is saved with that of the run.
    await run.save(state(1));
    expect((await run.load())?.state.lineage).toEqual(lineage);
    await store.duplicate('a', 'c', 'Copy');
    expect(await lineages()).toEqual(expected.set('c', lineage));
  });
  it('does not touch a run whose identifier is used again', async () => {
    const { store } = fresh();
    const run = await store.create({ ...NEW, lineage: { ...DEFAULT_LINEAGE, dataset: 'kept' } });
    await run.close();
    expect(await codeOfAsync(store.create({ ...NEW, name: 'Second' }))).toBe('run_locked');
    expect(await store.list()).toMatchObject([
      { name: 'First', lineage: { dataset: 'kept' }, locked: false },
    ]);
  });
  it('restores runs whose index was lost', async () => {
    const { store, fs } = fresh();
    await (await store.create(NEW)).save(state(7));
    await fs.remove('index.json.0');
    await fs.remove('index.json.1');
    expect(await store.list()).toMatchObject([
      { run: 'a', name: 'First', step: 7, resumable: true, val_loss: 2.25 },
    ]);
    // Runs of earlier versions have no file with their name.
    for (const path of ['index.json', 'runs/a/name.json']) await removeSlots(fs, path);
    expect(await store.list()).toMatchObject([{ run: 'a', name: 'Recovered a', step: 7 }]);
  });
});

describe('checkpoints', () => {
  it('keep the last two, and load the older one if the newer is damaged', async () => {
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
    // The error of the last one.
    await expect(run.load()).rejects.toMatchObject({
      code: 'truncated',
      message: 'The file model.safetensors of this run is damaged in the storage of this browser.',
      hint: expect.stringMatching(/best checkpoint .* backup .* train it again\.$/u) as string,
    });
  });

  it('survive a tab that is closed at any write of the next one', async () => {
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

  it('report a full storage, and leave the last one untouched', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.save(state(1));
    fs.quota = (await store.storage()).used + 100;
    expect(await codeOfAsync(run.save(state(2)))).toBe('storage_full');
    expect((await run.load())?.state.step).toBe(1);
    expect(await fs.list('runs/a')).not.toContain('checkpoint-2');
  });

  it('give up the older one to make room', async () => {
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
  it('are appended, survive a truncated line, and rewind with the run', async () => {
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
  it('are kept while the storage is full, and are written as soon as there is room', async () => {
    const { store, fs } = fresh();
    const run = await store.create(NEW);
    await run.appendMetrics(row(1, 10));
    fs.quota = (await store.storage()).used;
    expect(await codeOfAsync(run.appendMetrics(row(2, 20)))).toBe('storage_full');
    run.metrics.add(row(3, 30));
    expect(run.metrics.pending).toBe(2);
    const all = { step: Float64Array.of(1, 2, 3), loss: Float64Array.of(10, 20, 30) };
    expect(await run.readMetrics()).toEqual(all);
    expect((await store.readMetrics('a')).step).toEqual(all.step);
    fs.quota = Infinity;
    await run.metrics.flush();
    expect(run.metrics.pending).toBe(0);
    await run.close();
    expect(await store.readMetrics('a')).toEqual(all);
  });
  it('are flushed when the run is closed or duplicated', async () => {
    const { store } = fresh();
    const run = await store.create(NEW);
    run.metrics.add(row(1, 10));
    await store.duplicate('a', 'b', 'Copy');
    expect(await store.readMetrics('b')).toEqual(row(1, 10));
    run.metrics.add(row(2, 20));
    await Promise.all([run.close(), run.close()]);
    expect((await store.readMetrics('a')).step).toEqual(Float64Array.of(1, 2));
  });
});
