/** Today's page and a page of an earlier version, in two tabs over one storage. */
import { describe, expect, it } from 'vitest';
import type { Lineage } from '../../common/index.ts';
import type { CheckpointState, ObjectiveTensor } from '../checkpoint_state.ts';
import { metricLines } from '../metric_columns.ts';
import { tinyState } from '../testing_states.ts';
import { MemoryFileSystem } from './file_system.ts';
import { MemoryLocks } from './locks.ts';
import { RunStore } from './run_store.ts';
import { OldPage } from './testing_old_page.ts';

const lineage: Lineage = {
  objective: 'sft',
  parent: { kind: 'run', run: 'base', name: 'calm meeting', step: 500 },
  dataset: 'questions.jsonl',
};

const tensors = new Map<string, ObjectiveTensor>([
  ['score.weight', { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) }],
]);

const state = (step: number): CheckpointState => {
  const base = tinyState({ n_layer: 1 }, step);
  return {
    ...base,
    step,
    lineage,
    lr_multiplier: 0.5,
    objective_tensors: tensors,
    optimizer: new Map([...base.optimizer, ['exp_avg.score.weight', Float32Array.of(5, 6, 7, 8)]]),
  };
};

const row = (step: number, loss: number) => ({
  step: Float64Array.of(step),
  loss: Float64Array.of(loss),
});

async function twoPages() {
  const fs = new MemoryFileSystem();
  const locks = new MemoryLocks();
  const today = new RunStore(fs, locks, null);
  const run = await today.create({
    id: 'a',
    name: 'First',
    config: state(0).config,
    n_params: 9,
    lineage,
  });
  return { fs, locks, today, run, old: new OldPage(fs, locks) };
}

/** What today's page must find of run `id` after step `step`. */
async function expectWhole(today: RunStore, id: string, step: number): Promise<void> {
  const listed = (await today.list()).find((one) => one.run === id);
  expect(listed).toMatchObject({ step, lineage, resumable: true });
  const run = await today.open(id);
  const loaded = await run.load();
  await run.close();
  expect(loaded?.recovered).toBe(false);
  expect(loaded?.state).toMatchObject({ step, lineage, lr_multiplier: 0.5 });
  expect(loaded?.state.objective_tensors).toEqual(tensors);
  expect(loaded?.state.optimizer).toEqual(state(step).optimizer);
}

describe('a page of an earlier version', () => {
  it('accepts the training state that today writes, with its multiplier', async () => {
    const { run, old } = await twoPages();
    await run.save(state(3));
    expect(await old.readState('a')).toMatchObject({ step: 3, schedule: { lr_multiplier: 0.5 } });
    expect(await old.list()).toMatchObject([{ run: 'a', name: 'First', step: 3 }]);
  });

  it('reads configurations whose later fields have their defaults, and no others', async () => {
    const { run, old } = await twoPages();
    await run.save(state(1));
    expect((await old.list())[0]?.config.training).not.toHaveProperty('early_stopping_patience');
    const patient = state(2);
    patient.config.training.early_stopping_patience = 3;
    await run.save(patient);
    await expect(old.readState('a')).rejects.toThrow(/early_stopping_patience/);
    expect((await run.load())?.state.config.training.early_stopping_patience).toBe(3);
  });

  it('keeps samples, view, recipe and the best checkpoint when it saves in between', async () => {
    const { today, run, old } = await twoPages();
    const sample = { step: 1, prompt: '', tokens: [], memorized: false };
    run.samples.add(sample);
    await run.saveView({ axis: 'tokens' });
    const { config } = state(0);
    await run.saveRecipe({ preset: 'names', base: config, tokenizer_name: null });
    await run.save(state(1));
    await run.saveBest({ step: 1, score: 1.5 }, state(1));
    await run.close();
    for (const step of [2, 3, 4]) await old.save('a', { ...tinyState({ n_layer: 1 }, step), step });
    const again = await today.open('a');
    expect(await again.samples.read()).toEqual([sample]);
    expect(await again.loadView()).toEqual({ axis: 'tokens' });
    expect(await again.loadRecipe()).toEqual({
      preset: 'names',
      base: config,
      tokenizer_name: null,
    });
    expect((await again.loadBest())?.parameters).toEqual(state(1).parameters);
    expect(await today.list()).toMatchObject([{ step: 4, best: { step: 1, score: 1.5 } }]);
  });

  it('loses nothing when it rewrites the index, before and after each save', async () => {
    const { today, run, old } = await twoPages();
    await old.rename('a', 'Renamed');
    expect(await today.list()).toMatchObject([{ name: 'Renamed', lineage, resumable: false }]);
    for (const step of [1, 2, 3]) {
      await run.save(state(step));
      await run.appendMetrics(row(step, step));
      await old.rename('a', `Renamed ${step}`);
      expect(await today.list()).toMatchObject([{ name: `Renamed ${step}`, step, lineage }]);
    }
    await run.close();
    await expectWhole(today, 'a', 3);
    expect(await today.readMetrics('a')).toEqual({
      step: Float64Array.of(1, 2, 3),
      loss: Float64Array.of(1, 2, 3),
    });
  });

  it('loses nothing when both change the index at the same time', async () => {
    const { today, run, old } = await twoPages();
    await run.save(state(1));
    const other = today.create({ id: 'b', name: 'Second', config: state(0).config, n_params: 9 });
    await Promise.all([old.rename('a', 'One'), run.save(state(2)), other, old.rename('a', 'Two')]);
    expect((await today.list()).map(({ run: id, name }) => [id, name]).sort()).toEqual([
      ['a', 'Two'],
      ['b', 'Second'],
    ]);
    await run.close();
    await expectWhole(today, 'a', 2);
  });

  it('makes copies that still have their lineage and tensors', async () => {
    const { today, run, old } = await twoPages();
    await run.save(state(4));
    await run.close();
    await old.duplicate('a', 'copy', 'A copy');
    await expectWhole(today, 'copy', 4);
    await expectWhole(today, 'a', 4);
  });

  it('saves checkpoints to which today adds the lineage of the run', async () => {
    const { today, run, old } = await twoPages();
    await run.save(state(1));
    await run.close();
    const plain = tinyState({ n_layer: 1 }, 2);
    await old.save('a', { ...plain, step: 2 });
    const again = await today.open('a');
    expect((await again.load())?.state).toMatchObject({ step: 2, lineage, lr_multiplier: 1 });
    expect(await today.list()).toMatchObject([{ step: 2, lineage }]);
    await again.save({ ...plain, step: 3 });
    expect((await again.load())?.state).toMatchObject({ step: 3, lineage });
  });

  it('drops an entry that it cannot read, and today restores it with its name and date', async () => {
    const { today, run, old } = await twoPages();
    const unknown = state(5);
    unknown.config.training.early_stopping_patience = 3;
    await run.save(unknown);
    await today.rename('a', 'My run');
    await run.close();
    const [before] = await today.list();
    await old.rename('a', 'lost');
    expect(await old.list()).toEqual([]);
    const [after] = await today.list();
    expect(after).toEqual({ ...before, updated: after?.updated });
    await expectWhole(today, 'a', 5);
  });

  it('appends rows out of order, which today reads in order', async () => {
    const { run, old } = await twoPages();
    await run.appendMetrics(row(1, 1));
    await old.appendMetrics('a', metricLines(row(4, 4)) + metricLines(row(2, 2)));
    await run.appendMetrics(row(3, 3));
    expect([...(await run.readMetrics()).step]).toEqual([1, 2, 3, 4]);
  });
});
