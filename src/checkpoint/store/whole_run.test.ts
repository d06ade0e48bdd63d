/** What a run keeps beside its last checkpoint: the best one, samples, view and recipe. */
import { describe, expect, it } from 'vitest';
import type { CheckpointState } from '../checkpoint_state.ts';
import { codeOfAsync, tinyState } from '../testing_states.ts';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks } from './locks.ts';
import type { OpenRun } from './open_run.ts';
import { RunStore } from './run_store.ts';

const state = (step: number): CheckpointState => ({ ...tinyState({ n_layer: 1 }, step), step });

async function newRun(): Promise<{ fs: MemoryFileSystem; store: RunStore; run: OpenRun }> {
  const fs = new MemoryFileSystem();
  const store = new RunStore(fs, new MemoryLocks(), null);
  const run = await store.create({ id: 'a', name: 'A', config: state(0).config, n_params: 9 });
  return { fs, store, run };
}

const folders = async (fs: MemoryFileSystem): Promise<string[]> =>
  (await fs.list('runs/a')).filter((name) => /^(best|checkpoint)-/.test(name)).sort();

describe('the best checkpoint', () => {
  it('stays while later ones are saved, and is replaced by a better one', async () => {
    const { fs, store, run } = await newRun();
    await run.saveBest({ step: 2, score: 1.5 }, state(2));
    for (const step of [2, 3, 4, 5]) await run.save(state(step));
    expect((await run.loadBest())?.parameters).toEqual(state(2).parameters);
    expect(await folders(fs)).toEqual(['best-1', 'checkpoint-3', 'checkpoint-4']);
    await run.saveBest({ step: 6, score: 1.25 }, state(6));
    expect((await run.loadBest())?.parameters).toEqual(state(6).parameters);
    expect(await folders(fs)).toEqual(['best-2', 'checkpoint-3', 'checkpoint-4']);
    expect(await store.list()).toMatchObject([{ step: 5, best: { step: 6, score: 1.25 } }]);
  });

  it('may lack the moments of the optimizer', async () => {
    const { run } = await newRun();
    await run.saveBest({ step: 2, score: 1.5 }, { ...state(2), optimizer: new Map() });
    const best = await run.loadBest();
    expect(best?.parameters).toEqual(state(2).parameters);
    expect(best?.optimizer.size).toBe(0);
  });

  it('is not replaced where storage is full, and the last checkpoint stays', async () => {
    const { fs, store, run } = await newRun();
    await run.save(state(1));
    await run.saveBest({ step: 1, score: 2 }, state(1));
    fs.quota = (await store.storage()).used + 100;
    expect(await codeOfAsync(run.saveBest({ step: 2, score: 1 }, state(2)))).toBe('storage_full');
    expect(await run.best()).toEqual({ step: 1, score: 2 });
    expect((await run.loadBest())?.step).toBe(1);
    expect((await run.load())?.state.step).toBe(1);
  });

  it('survives a last checkpoint that needs its room', async () => {
    const { fs, store, run } = await newRun();
    await run.saveBest({ step: 1, score: 2 }, state(1));
    for (const step of [1, 2]) await run.save(state(step));
    fs.quota = (await store.storage()).used + 2000;
    await run.save(state(3));
    expect((await run.load())?.state.step).toBe(3);
    expect((await run.loadBest())?.step).toBe(1);
  });

  it('is null, and nothing breaks, where its files are gone or its record is damaged', async () => {
    const { fs, store, run } = await newRun();
    expect([await run.best(), await run.loadBest()]).toEqual([null, null]);
    await run.saveBest({ step: 1, score: 2 }, state(1));
    await run.save(state(1));
    await fs.remove('runs/a/best-1/model.safetensors');
    await expect(run.loadBest()).rejects.toMatchObject({
      code: 'truncated',
      message: 'The file model.safetensors of this run is gone from the storage of this browser.',
      hint: expect.stringMatching(/^Continue from its last checkpoint/u) as string,
    });
    await store.duplicate('a', 'b', 'Copy');
    expect((await store.list()).map(({ best }) => best)).toContain(null);
    await fs.write('runs/a/best.json.1', new Uint8Array(3));
    expect([await run.best(), await run.loadBest()]).toEqual([null, null]);
  });
});

describe('a duplicate', () => {
  it('has the samples, the view, the recipe, the text and the best checkpoint', async () => {
    const { store, run } = await newRun();
    const sample = { step: 1, prompt: 'x', tokens: [], memorized: true };
    const recipe = { preset: 'names', base: state(0).config, tokenizer_name: 'tok.json' };
    const view = { axis: 'tokens', zoom: [1, 2], logY: true, sampleStep: null };
    const text = { name: 'fox.txt', bytes: Uint8Array.of(1, 2, 3) };
    run.samples.add(sample);
    await run.saveView(view);
    await run.saveRecipe(recipe);
    await run.saveText(text);
    await run.saveBest({ step: 1, score: 2 }, state(1));
    await run.save(state(3));
    await store.duplicate('a', 'b', 'Copy');
    const copy = await store.open('b');
    expect(await copy.samples.read()).toEqual([sample]);
    expect(await copy.loadView()).toEqual(view);
    expect(await copy.loadRecipe()).toEqual(recipe);
    expect(await copy.loadText()).toEqual(text);
    expect(await copy.best()).toEqual({ step: 1, score: 2 });
    expect((await copy.loadBest())?.parameters).toEqual(state(1).parameters);
  });
});

describe('a run that is open in another tab', () => {
  it('is no longer listed as open once it was closed there, which is told', async () => {
    const fs = new MemoryFileSystem();
    const locks = new MemoryLocks();
    const here = new RunStore(fs, locks, null);
    const there = new RunStore(fs, locks, null);
    const told = new Promise<void>((resolve) => {
      here.onClosed = resolve;
    });
    const run = await there.create({ id: 'a', name: 'A', config: state(0).config, n_params: 9 });
    expect(await here.list()).toMatchObject([{ locked: true }]);
    await run.close();
    await told;
    expect(await here.list()).toMatchObject([{ locked: false }]);
  });
});

describe('a view', () => {
  it('is not written if it is too large to be read back', async () => {
    const { run } = await newRun();
    await run.saveView({ axis: 'step' });
    await run.saveView({ prompt: 'x'.repeat(2 ** 20) });
    expect(await run.loadView()).toEqual({ axis: 'step' });
  });
});
