import { describe, expect, it } from 'vitest';
import type { CheckpointState } from '../checkpoint_state.ts';
import { codeOfAsync, tinyState } from '../testing_states.ts';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks } from './locks.ts';
import { prune } from './prune.ts';
import { RunStore } from './run_store.ts';
import { KEPT_MS } from './trash.ts';

const state = (step: number): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1 }, step),
  step,
});

async function savedRun(store: RunStore, id: string, steps: readonly number[]): Promise<void> {
  const run = await store.create({ id, name: `Run ${id}`, config: state(0).config, n_params: 1 });
  for (const step of steps) await run.save(state(step));
  await run.appendMetrics({ step: Float64Array.of(1), 'train/loss': Float64Array.of(2) });
  await run.close();
}

const onDisk = (fs: MemoryFileSystem, id: string): string[] =>
  [...fs.files.keys()].filter((path) => path.startsWith(`runs/${id}/`));

const copyOf = (fs: MemoryFileSystem): MemoryFileSystem => {
  const copy = new MemoryFileSystem();
  for (const [path, bytes] of fs.files) copy.files.set(path, bytes);
  return copy;
};

describe('deleted runs', () => {
  it('come back whole, also in another session', async () => {
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, new MemoryLocks(), null);
    await savedRun(store, 'a', [1, 2]);
    const before = new Map(fs.files);
    await store.discard('a');
    expect(await store.list()).toEqual([]);
    expect(await store.trash.list()).toMatchObject([{ run: 'a', name: 'Run a' }]);

    const later = new RunStore(fs, new MemoryLocks(), null);
    expect(await later.list()).toEqual([]);
    await later.trash.restore('a');
    expect(await later.trash.list()).toEqual([]);
    expect(await later.list()).toMatchObject([{ run: 'a', name: 'Run a', step: 2 }]);
    const files = [...before.keys()].filter((path) => path.startsWith('runs/a/checkpoint-'));
    for (const path of files) expect(fs.files.get(path), path).toEqual(before.get(path));
    const run = await later.open('a');
    expect((await run.load())?.state.step).toBe(2);
    expect((await run.readMetrics())['train/loss']).toEqual(Float64Array.of(2));
    expect(onDisk(fs, 'a').filter((path) => path.includes('trash'))).toEqual([]);
  });

  it('free their bytes when they are removed for good, and after a day by themselves', async () => {
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, new MemoryLocks(), null);
    await savedRun(store, 'a', [1]);
    await savedRun(store, 'b', [1]);
    await store.discard('a');
    await store.discard('b');
    await store.trash.purge('a');
    expect(onDisk(fs, 'a')).toEqual([]);
    expect(await codeOfAsync(store.trash.restore('a'))).toBe('run_missing');
    expect(onDisk(fs, 'b')).not.toEqual([]);
    const nextSession = new RunStore(fs, new MemoryLocks(), null);
    expect(await nextSession.trash.list(Date.now() + KEPT_MS / 2)).toHaveLength(1);
    expect(await nextSession.trash.list(Date.now() + KEPT_MS + 1000)).toEqual([]);
    expect(onDisk(fs, 'b')).toEqual([]);
    expect((await nextSession.space.sizes()).size).toBe(0);
  });

  it('are whole or deleted wherever the page stops during a deletion, a restore or a removal', async () => {
    const fs = new MemoryFileSystem();
    await savedRun(new RunStore(fs, new MemoryLocks(), null), 'a', [1, 2]);
    const trashed = copyOf(fs);
    await new RunStore(trashed, new MemoryLocks(), null).discard('a');
    const actions: [MemoryFileSystem, (store: RunStore) => Promise<unknown>][] = [
      [fs, (store) => store.discard('a')],
      [trashed, (store) => store.trash.restore('a')],
      [trashed, (store) => store.trash.purge('a')],
    ];
    for (const [start, act] of actions) {
      for (let changes = 0; changes < 40; changes++) {
        const stopping = new StoppingFileSystem(start, changes);
        const store = new RunStore(stopping, new MemoryLocks(), null);
        const finished = await Promise.race([act(store).then(() => true), stopping.stopped]);
        const next = new RunStore(copyOf(stopping), new MemoryLocks(), null);
        const listed = await next.list();
        const deleted = await next.trash.list();
        if (listed.length === 1) {
          const run = await next.open('a');
          expect((await run.load())?.state.step).toBe(2);
          await run.close();
          await next.discard('a');
          expect(await next.trash.list()).toHaveLength(1);
        } else if (deleted.length === 1) await next.trash.purge('a');
        expect((await next.space.sizes()).size).toBe(listed.length);
        if (finished) break;
      }
    }
  });

  it('free space in a full storage, and say if they cannot be restored', async () => {
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, new MemoryLocks(), null);
    await savedRun(store, 'a', [1, 2]);
    await savedRun(store, 'b', [1]);
    const used = async (): Promise<number> => (await fs.usage()).used;
    fs.quota = await used();
    expect(await store.discard('a')).toBe(true);
    await store.trash.restore('a');
    const run = await store.open('a');
    expect((await run.load())?.state.step).toBe(2);

    fs.quota = await used();
    expect(await store.discard('b')).toBe(false);
    expect(await store.trash.list()).toEqual([]);
    expect(onDisk(fs, 'b')).toEqual([]);
    expect(await store.list()).toMatchObject([{ run: 'a' }]);
  });

  it('cannot be deleted while they are open', async () => {
    const locks = new MemoryLocks();
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, locks, null);
    await savedRun(store, 'a', [1]);
    await store.open('a');
    expect(await codeOfAsync(store.discard('a'))).toBe('run_locked');
    const other = new RunStore(fs, locks, null);
    expect(await codeOfAsync(other.discard('a'))).toBe('run_locked');
    expect(await codeOfAsync(other.trash.purge('a'))).toBe('run_locked');
    expect(await store.list()).toHaveLength(1);
  });
});

/** Stops before the given change of a file, as a tab that is closed. */
class StoppingFileSystem extends MemoryFileSystem {
  #stop: (value: false) => void = () => undefined;
  #changesLeft: number;
  readonly stopped = new Promise<false>((resolve) => {
    this.#stop = resolve;
  });

  constructor(start: MemoryFileSystem, changes: number) {
    super();
    for (const [path, bytes] of start.files) this.files.set(path, bytes);
    this.#changesLeft = changes;
  }
  override async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#change();
    return super.write(path, bytes);
  }
  override async remove(path: string): Promise<void> {
    await this.#change();
    return super.remove(path);
  }
  async #change(): Promise<void> {
    if (this.#changesLeft-- > 0) return;
    this.#stop(false);
    await new Promise(() => undefined);
  }
}

describe('the storage budget', () => {
  it('removes deleted runs and earlier checkpoints, the oldest first, and no more than needed', async () => {
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, new MemoryLocks(), null);
    for (const id of ['a', 'b', 'c', 'd']) await savedRun(store, id, [1, 2]);
    await store.discard('d');
    const sizes = await store.space.sizes();
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const soon = Date.now() + 1000;
    const later = Date.now() + 3_600_000;
    expect(await prune(store, later)).toMatchObject({ bytes: 0, excess: 0 });

    await store.space.setBudget(total - 1);
    const first = await prune(store, soon);
    expect(first).toMatchObject({ purged: [], thinned: ['Run a'], excess: 0 });
    expect((await store.space.sizes()).get('a')).toBe((sizes.get('a') ?? 0) - first.bytes);
    expect(onDisk(fs, 'b').some((path) => path.includes('checkpoint-1/'))).toBe(true);

    await store.space.setBudget(10);
    const second = await prune(store, later);
    expect(second).toMatchObject({ purged: ['Run d'], thinned: ['Run b', 'Run c'] });
    expect(second.excess).toBeGreaterThan(0);
    expect((await store.list()).map(({ run }) => run).sort()).toEqual(['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) {
      const run = await store.open(id);
      expect((await run.load())?.state.step, id).toBe(2);
      expect((await run.readMetrics()).step).toHaveLength(1);
      await run.close();
    }
    expect((await store.storage()).budget).toBe(10);
    await store.space.setBudget(null);
    expect((await store.storage()).budget).toBeNull();
  });

  it('keeps the earlier checkpoint of a run whose last one is damaged, and leaves open runs alone', async () => {
    const fs = new MemoryFileSystem();
    const store = new RunStore(fs, new MemoryLocks(), null);
    for (const id of ['a', 'b']) await savedRun(store, id, [1, 2]);
    const path = 'runs/a/checkpoint-2/model.safetensors';
    fs.files.set(path, fs.files.get(path)?.subarray(0, 50) ?? new Uint8Array());
    const open = await store.open('b');
    await store.space.setBudget(1);
    expect(await prune(store)).toMatchObject({ bytes: 0, thinned: [] });
    await open.close();
    const run = await store.open('a');
    expect(await run.load()).toMatchObject({ recovered: true, state: { step: 1 } });
  });
});
