import { strToU8, unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import type { CheckpointState } from '../checkpoint_state.ts';
import { codeOfAsync, tinyState } from '../testing_states.ts';
import { MANIFEST, writeBackup, type JobOptions } from './backup.ts';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks } from './locks.ts';
import { restoreBackup } from './restore_backup.ts';
import { RunStore } from './run_store.ts';

const state = (step: number): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1 }, step),
  step,
});

function options(change: Partial<JobOptions> = {}): JobOptions {
  return { signal: new AbortController().signal, progress: () => undefined, ...change };
}

const library = (fs = new MemoryFileSystem(), locks = new MemoryLocks()) => ({
  fs,
  locks,
  store: new RunStore(fs, locks, null),
});

async function savedRun(store: RunStore, id: string, steps: readonly number[]): Promise<void> {
  const run = await store.create({ id, name: `Run ${id}`, config: state(0).config, n_params: 1 });
  for (const step of steps) await run.save(state(step));
  await run.saveText({ name: 'mine.txt', bytes: strToU8('a text of my own') });
  await run.appendMetrics({ step: Float64Array.of(1), 'train/loss': Float64Array.of(2) });
  await run.close();
}

const zipOf = async (file: Blob) => unzipSync(new Uint8Array(await file.arrayBuffer()));
const blobOf = (files: Record<string, Uint8Array>, level: 0 | 6 = 0): Blob =>
  new Blob([new Uint8Array(zipSync(files, { level }))]);

const filesOf = (fs: MemoryFileSystem): Map<string, Uint8Array> =>
  new Map([...fs.files].filter(([path]) => path.startsWith('runs/')));

describe('a backup', () => {
  it('restores an equal list and every byte of every run into an empty library', async () => {
    const from = library();
    await savedRun(from.store, 'a', [1, 2]);
    await savedRun(from.store, 'b', [7]);
    const seen: number[] = [];
    const { file, runs, left_out } = await writeBackup(
      from.store,
      ['a', 'b'],
      options({ progress: (done, total) => seen.push(done / total) }),
    );
    expect({ runs, left_out }).toEqual({ runs: 2, left_out: [] });
    expect(seen.at(-1)).toBeGreaterThan(0.99);

    const to = library();
    const progress: number[] = [];
    const restored = await restoreBackup(
      to.store,
      file,
      options({ progress: (done, total) => progress.push(done / total) }),
    );
    expect(restored).toEqual({ added: 2, equal: 0, left_out: [] });
    expect(progress.at(-1)).toBe(1);
    const byRun = (a: { run: string }, b: { run: string }) => a.run.localeCompare(b.run);
    expect((await to.store.list()).sort(byRun)).toEqual((await from.store.list()).sort(byRun));
    const names = /name\.json/;
    expect(await restoreBackup(to.store, file, options())).toMatchObject({ added: 0, equal: 2 });
    const [before, after] = [filesOf(from.fs), filesOf(to.fs)];
    for (const [path, bytes] of before) {
      if (!names.test(path)) expect(after.get(path), path).toEqual(bytes);
    }
    expect([...after.keys()].filter((path) => path.includes('trash'))).toEqual([]);
  });

  it('is the same after another program has packed its files again, in a folder', async () => {
    const from = library();
    await savedRun(from.store, 'a', [1]);
    const files = await zipOf((await writeBackup(from.store, ['a'], options())).file);
    const inFolder = Object.fromEntries(
      Object.entries(files).map(([path, bytes]) => [`My backup/${path}`, bytes]),
    );
    const to = library();
    const again = { ...inFolder, 'My backup/': strToU8(''), '__MACOSX/._x': strToU8('x') };
    expect(await restoreBackup(to.store, blobOf(again, 6), options())).toMatchObject({ added: 1 });
    expect(await to.store.list()).toMatchObject([{ run: 'a', step: 1 }]);
  });

  it('overwrites nothing: equal runs are skipped, others get a new id', async () => {
    const { store, fs } = library();
    await savedRun(store, 'a', [1]);
    await savedRun(store, 'b', [1]);
    const { file } = await writeBackup(store, ['a', 'b'], options());
    const b = await store.open('b');
    await b.save(state(9));
    await b.close();
    const before = new Map(filesOf(fs));
    expect(await restoreBackup(store, file, options())).toEqual({
      added: 1,
      equal: 1,
      left_out: [],
    });
    for (const [path, bytes] of before) expect(fs.files.get(path), path).toEqual(bytes);
    const listed = await store.list();
    expect(listed.map(({ run, step }) => [run.length > 1 ? 'new' : run, step])).toEqual(
      expect.arrayContaining([
        ['a', 1],
        ['b', 9],
        ['new', 1],
      ]),
    );
    await store.discard('a');
    expect(await restoreBackup(store, file, options())).toMatchObject({ added: 2 });
    await store.trash.restore('a');
    expect(await store.list()).toHaveLength(5);
  });

  it('has the last checkpoint of a run that another tab has open, and leaves out one without any', async () => {
    const { store, fs, locks } = library();
    await savedRun(store, 'a', [1, 2]);
    const other = new RunStore(fs, locks, null);
    await other.open('a');
    const fresh = await other.create({
      id: 'b',
      name: 'Fresh',
      config: state(0).config,
      n_params: 1,
    });
    await fresh.close();
    const backup = await writeBackup(store, ['a', 'b'], options());
    expect(backup.runs).toBe(1);
    expect(backup.left_out).toEqual(['“Fresh” is not in the backup: it has no checkpoint yet.']);
    const paths = Object.keys(await zipOf(backup.file));
    expect(paths.some((path) => path.startsWith('runs/a/checkpoint-1/'))).toBe(false);
    const to = library();
    expect(await restoreBackup(to.store, backup.file, options())).toMatchObject({ added: 1 });
    const run = await to.store.open('a');
    expect((await run.load())?.state.step).toBe(2);
    expect((await run.loadText())?.name).toBe('mine.txt');
  });

  it('can be cancelled, and what was being added is gone', async () => {
    const from = library();
    await savedRun(from.store, 'a', [1]);
    await savedRun(from.store, 'b', [1]);
    const stop = new AbortController();
    const stopping = options({ signal: stop.signal, progress: () => stop.abort() });
    expect(await codeOfAsync(writeBackup(from.store, ['a'], stopping))).toBe('cancelled');
    const { file } = await writeBackup(from.store, ['a', 'b'], options());
    const to = library();
    const half = new AbortController();
    const progress = (done: number, total: number): void => {
      if (done > 0.7 * total) half.abort();
    };
    const restoring = restoreBackup(to.store, file, options({ signal: half.signal, progress }));
    expect(await codeOfAsync(restoring)).toBe('cancelled');
    expect(await to.store.list()).toHaveLength(1);
    expect([...(await to.store.space.sizes()).keys()]).toHaveLength(1);
  });

  it('stops with a sentence if storage is full, before or in the middle', async () => {
    const from = library();
    await savedRun(from.store, 'a', [1]);
    const { file } = await writeBackup(from.store, ['a'], options());
    const small = library(new MemoryFileSystem(2000));
    expect(await codeOfAsync(restoreBackup(small.store, file, options()))).toBe('storage_full');
    expect(small.fs.files.size).toBe(0);
    const lying = new MemoryFileSystem(4000);
    lying.usage = async () => ({ used: 0, quota: null, persistent: false });
    const { store } = library(lying);
    expect(await codeOfAsync(restoreBackup(store, file, options()))).toBe('storage_full');
    expect((await store.space.sizes()).size).toBe(0);
  });
});

describe('a hostile backup', () => {
  const backupOf = async (id = 'a'): Promise<Record<string, Uint8Array>> => {
    const { store } = library();
    await savedRun(store, id, [1, 2]);
    return zipOf((await writeBackup(store, [id], options())).file);
  };
  const restore = (files: Record<string, Uint8Array>) => {
    const to = library();
    return { ...to, result: restoreBackup(to.store, blobOf(files), options()) };
  };

  it.each([
    ['../escape', 'unsafe_path'],
    ['runs/../../escape', 'unsafe_path'],
    ['runs/a/../../index.json.0', 'unsafe_path'],
    ['index.json.0', 'unsafe_path'],
    ['runs/a/deep/er/file', 'unsafe_path'],
    ['runs/a/.hidden', 'unsafe_path'],
    ['C:\\escape', 'unsafe_path'],
  ])('writes nothing for the path %s', async (path, code) => {
    const { fs, result } = restore({ ...(await backupOf()), [path]: strToU8('x') });
    expect(await codeOfAsync(result)).toBe(code);
    expect(fs.files.size).toBe(0);
  });

  it('is refused if it is no backup, or of a later version', async () => {
    const { [MANIFEST]: manifest = new Uint8Array(), ...files } = await backupOf();
    expect(await codeOfAsync(restore(files).result)).toBe('bad_zip');
    expect(await codeOfAsync(restore({ ...files, [MANIFEST]: strToU8('{}') }).result)).toBe(
      'bad_zip',
    );
    const later = new TextDecoder().decode(manifest).replace('"version":1', '"version":2');
    expect(await codeOfAsync(restore({ ...files, [MANIFEST]: strToU8(later) }).result)).toBe(
      'unknown_version',
    );
    const { store } = library();
    for (const bytes of ['', 'not a zip', 'PK\u0003\u0004']) {
      expect(await codeOfAsync(restoreBackup(store, new Blob([bytes]), options()))).toBe('bad_zip');
    }
  });

  it('leaves out damaged runs and adds the others', async () => {
    const [a, b] = [await backupOf('a'), await backupOf('b')];
    const manifest = (files: Record<string, Uint8Array>) =>
      JSON.parse(new TextDecoder().decode(files[MANIFEST])) as { entries: object[] };
    const [one] = manifest(a).entries;
    const entries = [
      { ...one, name: `x${'y'.repeat(10_000)}` },
      ...manifest(b).entries,
      { run: '../../evil' },
      { ...one, run: '../evil' },
      { ...one, run: 'nowhere' },
      null,
    ];
    const damaged = Object.fromEntries(
      Object.entries(a).map(([path, bytes]) => [
        path,
        path.endsWith('model.safetensors') ? bytes.subarray(0, 99) : bytes,
      ]),
    );
    const both = {
      ...damaged,
      ...b,
      [MANIFEST]: strToU8(JSON.stringify({ ...manifest(a), entries })),
    };
    const { store, fs, result } = restore(both);
    const restored = await result;
    expect(restored.added).toBe(1);
    expect(restored.left_out).toHaveLength(5);
    for (const sentence of restored.left_out) expect(sentence.length).toBeLessThan(300);
    expect((await store.list()).map(({ run }) => run)).toEqual(['b']);
    expect([...fs.files.keys()].filter((path) => !/^(index\.json|runs\/b\/)/.test(path))).toEqual(
      [],
    );
  });

  it('is read or refused, whatever byte of it is changed', async () => {
    const file = new Uint8Array(await blobOf(await backupOf()).arrayBuffer());
    const before = file.slice();
    let random = 1;
    for (let i = 0; i < 150; i++) {
      random = (random * 48271) % 0x7fffffff;
      const changed = before.slice();
      // Half of the changes hit the list of files at the end.
      const at = i % 2 ? random % changed.length : changed.length - 1 - (random % 1500);
      changed[at] = (changed[at] ?? 0) ^ (1 + (random % 255));
      const { fs, store } = library();
      const code = await restoreBackup(store, new Blob([changed]), options()).then(
        () => 'read',
        (error: unknown) => (error instanceof Error && 'code' in error ? 'refused' : error),
      );
      expect(['read', 'refused'], `byte ${at}`).toContain(code);
      for (const path of fs.files.keys()) expect(path).toMatch(/^(index\.json\.|runs\/[\w-]+\/)/);
    }
  });
});
