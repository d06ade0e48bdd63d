/** A run that is opened again comes back whole: also by export and import, and from its best step. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readCheckpoint, RunStore, splitExport, unzipFolder } from '../checkpoint/index.ts';
import { MemoryLocks } from '../checkpoint/store/locks.ts';
import type { ExportChoice, WeightsChoice } from '../common/index.ts';
import { defaultConfig } from '../config/index.ts';
import { SessionHarness, startCommand, TEXT, tinyConfig } from './testing_session.ts';
import { FakeTrainer } from './testing_trainer.ts';

/** Validation losses that turn up after step 8. */
const OVERFITTING = { 0: 3, 4: 2, 8: 1.25, 12: 1.5, 16: 1.75, 20: 2 };
const RECIPE = { preset: 'names', base: defaultConfig(), tokenizer_name: null };
const VIEW = { axis: 'tokens', logY: true, zoom: [2, 9], sampleStep: 10, prompt: 'the ' };

let session: SessionHarness;
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  session = new SessionHarness({
    createTrainer: async (options) => {
      const trainer = new FakeTrainer(options);
      trainer.scores = OVERFITTING;
      session.trainers.push(trainer);
      return trainer;
    },
  });
});
afterEach(() => {
  session.send({ type: 'stop' });
  vi.restoreAllMocks();
});

const config = tinyConfig(({ training, sampling, runtime }) => {
  training.eval_interval = 4;
  sampling.sample_interval = 5;
  sampling.max_new_tokens = 3;
  runtime.autosave_interval = 3;
});

/** A run that trained to step 20, with its best evaluation at step 8. */
async function overfittedRun(): Promise<void> {
  session.send(startCommand({ config, recipe: RECIPE }));
  await session.next('finished');
  session.send({ type: 'set_view', run: 'first', view: VIEW });
}

let ids = 900;
async function exported(what: ExportChoice): Promise<ReadonlyMap<string, Uint8Array>> {
  const id = ids++;
  session.send({ type: 'export', id, what });
  return unzipFolder((await session.next('exported', (event) => event.id === id)).bytes);
}

const filesOf = (files: ReadonlyMap<string, Uint8Array>) =>
  [...files].map(([path, bytes]) => ({ path, bytes }));

/** The fake trainer counts its steps in the first value of each weight. */
const trainedSteps = (files: ReadonlyMap<string, Uint8Array>): number | undefined =>
  [...readCheckpoint(files).parameters.values()].map((values) => values[0]).find((value) => value);

async function generated(weights: WeightsChoice): Promise<number[]> {
  const id = ids++;
  const sampling = { ...config.sampling, max_new_tokens: 2 };
  session.send({ type: 'generate', id, prompt: 'the', sampling, weights });
  await session.next('generation_done', (event) => event.id === id);
  const events = session.all('token').filter((event) => event.id === id);
  return events.flatMap(({ pieces }) => pieces.map((piece) => piece.id));
}

describe('a bundle for GPUs', () => {
  it('has the tokens and the program, and comes back as the run that it was', async () => {
    await overfittedRun();
    const files = await exported('bundle');
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['train.py', 'fsdp2.yaml', 'data/val.bin', 'checkpoint/text.bin']),
    );
    expect(files.get('data/train.bin')?.length).toBeGreaterThan(0);
    session.send({ type: 'import', id: 1, run: 'back', name: 'back', files: filesOf(files) });
    const started = await session.next('started', ({ run }) => run === 'back');
    expect(started.step).toBe(20);
    expect(started.restored?.text).toEqual(TEXT);
  });
});

describe('a run that is resumed', () => {
  it('brings back samples, view, recipe, text and the best evaluation', async () => {
    await overfittedRun();
    const samples = session.all('sample').map(({ sample }) => sample);
    expect(samples.map(({ step }) => step)).toEqual([1, 5, 10, 15, 20]);
    session.send({ type: 'resume', run: 'first', paused: true });
    const started = await session.next('started', ({ step }) => step === 20);
    expect(started.restored).toEqual({
      samples,
      view: VIEW,
      recipe: RECIPE,
      text: TEXT,
      tokenizer_json: null,
    });
    expect(started.best).toEqual({ step: 8, score: 1.25 });
    // Its last step has its samples already.
    await session.next('finished', ({ step }) => step === 20);
    expect(session.all('sample')).toHaveLength(5);
  });

  it('brings nothing to the page of a new run, which has it all', async () => {
    await overfittedRun();
    expect(session.all('started')[0]).toMatchObject({ restored: null, best: null });
  });

  it('keeps training where storage refuses samples and view', async () => {
    session.send(startCommand({ config, paused: true }));
    await session.paused();
    session.files.isFull = true;
    session.send({ type: 'set_view', run: 'first', view: VIEW });
    session.send({ type: 'train' });
    expect((await session.next('finished')).step).toBe(20);
    session.files.isFull = false;
    session.send({ type: 'save', id: 1 });
    await session.next('saved', ({ id }) => id === 1);
    session.send({ type: 'resume', run: 'first', paused: true });
    const started = await session.next('started', ({ step }) => step === 20);
    expect(started.restored?.samples.map(({ step }) => step)).toEqual([1, 5, 10, 15, 20]);
    expect(started.best).toEqual({ step: 8, score: 1.25 });
  });
});

describe('a run whose validation loss turns up', () => {
  it('keeps the best and the last checkpoint, exports both, and samples by choice', async () => {
    await overfittedRun();
    expect(session.all('best').map(({ best }) => best)).toEqual([
      { step: 4, score: 2 },
      { step: 8, score: 1.25 },
    ]);
    const [record] = await session.store.list();
    expect(record).toMatchObject({ step: 20, best: { step: 8, score: 1.25 } });

    const last = splitExport(await exported('last'));
    const best = splitExport(await exported('best'));
    expect([trainedSteps(last.checkpoint), trainedSteps(best.checkpoint)]).toEqual([20, 8]);
    expect(trainedSteps(last.run?.best ?? new Map())).toBe(8);
    expect(best.run?.best).toBeNull();
    expect(best.run?.samples.map(({ step }) => step)).toEqual([1, 5]);
    expect(readCheckpoint(best.checkpoint).metrics?.step.at(-1)).toBe(8);

    expect(await generated('best')).toEqual([8]);
    expect(await generated('last')).toEqual([0, 0]);
  });

  it('is resumed from the best, and that is then its last checkpoint', async () => {
    await overfittedRun();
    session.send({ type: 'resume', run: 'first', weights: 'best', paused: true });
    const started = await session.next('started', ({ step }) => step === 8);
    expect(started.history?.step.at(-1)).toBe(8);
    expect(started.restored?.samples.map(({ step }) => step)).toEqual([1, 5]);
    expect(started.best).toEqual({ step: 8, score: 1.25 });
    await session.next('saved', ({ step }) => step === 8);
    expect(await session.store.list()).toMatchObject([{ step: 8, best: { step: 8 } }]);
  });

  it('has its best in storage before a checkpoint that is later', async () => {
    const saves: string[] = [];
    const write = session.files.write.bind(session.files);
    vi.spyOn(session.files, 'write').mockImplementation((path, bytes) => {
      if (path.endsWith('model.safetensors')) saves.push(path.split('/')[2] ?? '');
      return write(path, bytes);
    });
    await overfittedRun();
    // Evaluations at 4 and 8 improve; checkpoints are at every third step and at 20.
    expect(saves).toEqual([
      ...['checkpoint-1', 'best-1', 'checkpoint-2', 'best-2', 'checkpoint-3', 'checkpoint-4'],
      ...['checkpoint-5', 'checkpoint-6', 'checkpoint-7'],
    ]);
  });

  it('goes on without a best checkpoint where there is no room for it, and says so once', async () => {
    const write = session.files.write.bind(session.files);
    vi.spyOn(session.files, 'write').mockImplementation((path, bytes) => {
      session.files.isFull = path.includes('/best-');
      return write(path, bytes).finally(() => (session.files.isFull = false));
    });
    await overfittedRun();
    expect(session.all('saved').map(({ step }) => step)).toEqual([3, 6, 9, 12, 15, 18, 20]);
    const refusals = session.all('notice').filter(({ message }) => message.includes('no room'));
    expect(refusals).toHaveLength(1);
    // It is still in memory.
    expect(trainedSteps(splitExport(await exported('best')).checkpoint)).toBe(8);
  });
});

describe('the list of runs', () => {
  it('comes again when a run that was open in another tab is closed there', async () => {
    const locks = new MemoryLocks();
    const { files } = session;
    const other = new RunStore(files, locks, null);
    session = new SessionHarness({ openRunStore: async () => new RunStore(files, locks, null) });
    const run = await other.create({ id: 'a', name: 'A', config, n_params: 9 });
    session.send({ type: 'list_runs' });
    const { runs } = await session.next('runs');
    expect(runs).toMatchObject([{ run: 'a', locked: true }]);
    await run.close();
    await session.next('runs', (event) => event.runs.every(({ locked }) => !locked));
  });
});

describe('early stopping', () => {
  const patient = (patience: number, threshold = 0) => {
    const changed = structuredClone(config);
    changed.training.early_stopping_patience = patience;
    changed.training.early_stopping_threshold = threshold;
    return changed;
  };

  it('ends the run after as many evaluations without improvement, and saves it', async () => {
    session.send(startCommand({ config: patient(2) }));
    expect(await session.next('finished')).toMatchObject({ step: 16, reason: 'early_stopping' });
    expect(session.all('saved').at(-1)?.step).toBe(16);
    expect(session.all('sample').at(-1)?.sample.step).toBe(16);
  });

  it('counts an improvement below the threshold as none', async () => {
    session.send(startCommand({ config: patient(2, 0.9) }));
    // 3, 2 (better by 1), then 1.25 (by 0.75) and 1.5.
    expect((await session.next('finished')).step).toBe(12);
  });

  it('goes on counting when the run is resumed, and counts no evaluation twice', async () => {
    session.send(startCommand({ config: patient(2), paused: true }));
    await session.paused();
    for (let step = 1; step <= 12; step += 1) {
      session.send({ type: 'step' });
      await session.paused(step + 1);
    }
    session.send({ type: 'resume', run: 'first' });
    // One evaluation without improvement at step 12, the second at step 16.
    expect(await session.next('finished')).toMatchObject({ step: 16, reason: 'early_stopping' });
  });

  it('lets the run train further when it is asked to', async () => {
    session.send(startCommand({ config: patient(1) }));
    expect((await session.next('finished')).step).toBe(12);
    session.send({ type: 'train' });
    expect((await session.next('finished', ({ step }) => step > 12)).step).toBe(16);
  });
});

describe('an exported run', () => {
  it('comes back whole when it is imported, whatever the form says', async () => {
    await overfittedRun();
    const samples = session.all('sample').map(({ sample }) => sample);
    const files = filesOf(await exported('last'));
    const form = defaultConfig();
    session.send({ type: 'import', id: 1, run: 'copy', name: 'Copy', files, config: form });
    const started = await session.next('started', ({ run }) => run === 'copy');
    expect(started.restored).toEqual({
      samples,
      view: VIEW,
      recipe: RECIPE,
      text: TEXT,
      tokenizer_json: null,
    });
    expect(started.config.data.corpus).toBe('own');
    expect(started.best).toEqual({ step: 8, score: 1.25 });
    await session.next('saved', ({ run }) => run === 'copy');
    session.send({ type: 'resume', run: 'copy', weights: 'best', paused: true });
    const best = await session.next('started', ({ run, step }) => run === 'copy' && step === 8);
    expect(best.restored?.text).toEqual(TEXT);
  });

  it('is imported without what is damaged beside its checkpoint', async () => {
    await overfittedRun();
    const junk = new TextEncoder().encode('{"a":');
    const files = filesOf(await exported('last')).map(({ path, bytes }) =>
      /samples|view|recipe|text\.json|best\/config/u.test(path)
        ? { path, bytes: junk }
        : { path, bytes },
    );
    session.send({ type: 'import', id: 1, run: 'copy', name: 'Copy', files, config, text: TEXT });
    const started = await session.next('started', ({ run }) => run === 'copy');
    expect(started).toMatchObject({
      step: 20,
      best: null,
      restored: { samples: [], view: null, recipe: null, text: TEXT },
    });
    await session.next('notice', ({ message }) => message.includes('best checkpoint'));
  });
});
