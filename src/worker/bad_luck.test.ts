/** What a session survives: imports over a run that trains, full storage, and lost devices. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unzipFolder } from '../checkpoint/index.ts';
import type { ImportedFile } from '../protocol/index.ts';
import { SessionHarness, startCommand, TEXT, tinyConfig } from './testing_session.ts';

let session: SessionHarness;
beforeEach(() => {
  // Errors are logged as well as reported to the page.
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  session = new SessionHarness();
});

afterEach(() => {
  session.files.isFull = false;
  session.send({ type: 'delete_runs', id: 9999, runs: ['first'] });
  session.send({ type: 'stop' });
  vi.restoreAllMocks();
});

const endless = tinyConfig(({ training }) => {
  training.max_iters = 1_000_000;
});

/** A run that trains on. */
async function train(): Promise<void> {
  session.send(startCommand({ config: endless }));
  await session.next('saved', ({ run }) => run === 'first');
}

async function exportedFiles(): Promise<ImportedFile[]> {
  session.send({ type: 'export', id: 900 });
  const { bytes } = await session.next('exported', (event) => event.id === 900);
  return [...unzipFolder(bytes)].map(([path, content]) => ({ path, bytes: content }));
}

const NO_MODEL: ImportedFile[] = [{ path: 'a.txt', bytes: new Uint8Array(3) }];

const importFiles = (files: ImportedFile[], id = 1): void =>
  session.send({ type: 'import', id, run: 'copy', name: 'Copy', files, text: TEXT });

const withId =
  (id: number) =>
  (event: { id?: number | undefined }): boolean =>
    event.id === id;

/** Resolves once the run has taken more steps. */
async function trainsOn(): Promise<void> {
  const { step } = session.trainer;
  await vi.waitFor(() => expect(session.trainer.step).toBeGreaterThan(step + 3));
}

/** Resolves if queued commands are still carried out. */
async function answersCommands(): Promise<void> {
  const before = session.all('runs').length;
  session.send({ type: 'list_runs' });
  await vi.waitFor(() => expect(session.all('runs').length).toBeGreaterThan(before));
}

describe('an import while a run trains', () => {
  it('leaves the run training if the files are no checkpoint', async () => {
    await train();
    const phases = session.all('phase').length;
    importFiles(NO_MODEL);
    const { id } = await session.next('error');
    expect(id).toBe(1);
    await trainsOn();
    expect(session.all('started')).toHaveLength(1);
    expect(session.all('importing')).toEqual([]);
    const told = session.all('phase').slice(phases);
    expect(told.every(({ phase }) => phase === 'training' || phase === 'saving')).toBe(true);
  });

  it('saves the run at its last step and closes it if they are one', async () => {
    await train();
    const files = await exportedFiles();
    const [trainer] = session.trainers;
    importFiles(files);
    const { released } = await session.next('importing');
    await session.next('started', ({ run }) => run === 'copy');
    expect(released).toEqual({ run: 'first', name: 'First', step: trainer?.step });
    const first = (await session.store.list()).find(({ run }) => run === 'first');
    expect([first?.step, first?.locked]).toEqual([trainer?.step, false]);
    const { step } = await session.store.readMetrics('first');
    expect(step.at(-1)).toBe(trainer?.step);
  });

  it('is refused while storage refuses the run, which trains on and can be exported', async () => {
    await train();
    const files = await exportedFiles();
    session.files.isFull = true;
    importFiles(files);
    const { error } = await session.next('error', withId(1));
    expect(error).toMatchObject({ code: 'storage_full', action: 'export' });
    expect(error.message).toBe('The current run could not be saved, so it stays open.');
    await trainsOn();
    expect(session.all('importing')).toEqual([]);
    session.send({ type: 'export', id: 2 });
    await session.next('exported', withId(2));
    session.files.isFull = false;
    importFiles(await exportedFiles(), 3);
    await session.next('importing', withId(3));
  });

  it('says nothing of a run that has nothing to keep', async () => {
    await train();
    const files = await exportedFiles();
    session.send(startCommand({ run: 'second', paused: true }));
    await session.next('started', ({ run }) => run === 'second');
    importFiles(files);
    expect((await session.next('importing')).released).toBeNull();
  });

  it('leaves the page idle if no run was there and the files are no checkpoint', async () => {
    importFiles(NO_MODEL);
    await session.next('error', withId(1));
    await answersCommands();
    expect(session.all('phase').map(({ phase }) => phase)).toEqual(['preparing', 'idle']);
  });

  it('is not "saved" before it was saved, and can be resumed in another tab afterwards', async () => {
    await train();
    importFiles(await exportedFiles());
    const started = await session.next('started', ({ run }) => run === 'copy');
    expect(started.saved_step).toBeNull();
    const saved = await session.next('saved', ({ run }) => run === 'copy');
    expect(saved.step).toBe(started.step);
    session.send({ type: 'release', id: 5 });
    await session.next('released', withId(5));
    session.send({ type: 'resume', run: 'copy', paused: true });
    const resumed = await session.next('started', ({ saved_step }) => saved_step !== null);
    expect(resumed).toMatchObject({ run: 'copy', step: saved.step, saved_step: saved.step });
  });

  it('is saved at its next pause if it could not be saved at once', async () => {
    await train();
    const files = await exportedFiles();
    session.send({ type: 'release', id: 5 });
    await session.next('released', withId(5));
    session.files.isFull = true;
    importFiles(files);
    const { error } = await session.next('error', ({ concerns }) => concerns === 'save');
    expect(error.code).toBe('storage_full');
    session.files.isFull = false;
    session.send({ type: 'pause' });
    const { step } = await session.next('started', ({ run }) => run === 'copy');
    expect(await session.next('saved', ({ run }) => run === 'copy')).toMatchObject({ step });
    await session.next('resolved', ({ concerns }) => concerns === 'save');
  });
});

describe('full storage', () => {
  it('lets a new run train, says that it is not saved, and saves it whole once there is room', async () => {
    session.files.isFull = true;
    session.send(startCommand({ config: endless }));
    const told = await session.next('error', ({ concerns }) => concerns === 'save');
    expect(told.error).toMatchObject({ code: 'storage_full', action: 'free_storage' });
    await trainsOn();
    expect(await session.store.list()).toEqual([]);
    session.send({ type: 'export', id: 1 });
    await session.next('exported');
    session.files.isFull = false;
    await session.next('resolved', ({ concerns }) => concerns === 'save');
    await expectStoredWhole();
  });

  it('lets an import train and be exported', async () => {
    await train();
    const files = await exportedFiles();
    session.send({ type: 'release', id: 5 });
    await session.next('released');
    session.files.isFull = true;
    importFiles(files);
    await session.next('started', ({ run }) => run === 'copy');
    await session.next('error', ({ concerns }) => concerns === 'save');
    session.send({ type: 'train' });
    await trainsOn();
    session.send({ type: 'export', id: 6 });
    await session.next('exported', withId(6));
  });

  it('lets a saved run open and train', async () => {
    await train();
    session.send({ type: 'release', id: 5 });
    const { released } = await session.next('released');
    session.files.isFull = true;
    session.send({ type: 'resume', run: 'first' });
    const resumed = await session.next('started', ({ saved_step }) => saved_step !== null);
    expect(resumed.saved_step).toBe(released?.step);
    await trainsOn();
    await session.next('error', ({ concerns }) => concerns === 'save');
  });
});

describe('site data that is cleared while a run trains', () => {
  it('is noticed at the next save, and the run is saved again whole', async () => {
    await train();
    session.files.files.clear();
    await session.next('notice', ({ message }) => message.includes('saved again with its text'));
    await trainsOn();
    await expectStoredWhole();
    expect(session.all('error')).toEqual([]);
  });

  it('does not take the metrics of a resumed run along', async () => {
    await train();
    session.send({ type: 'release', id: 5 });
    await session.next('released');
    session.send({ type: 'resume', run: 'first' });
    await session.next('started', ({ saved_step }) => saved_step !== null);
    session.files.files.clear();
    await session.next('notice', ({ message }) => message.includes('saved again with its text'));
    await expectStoredWhole();
  });
});

/** The run is in storage with everything that belongs to it, from its first step on. */
async function expectStoredWhole(): Promise<void> {
  session.send({ type: 'release', id: 70 });
  await session.next('released', withId(70));
  const [record] = await session.store.list();
  expect(record).toMatchObject({ run: 'first', name: 'First', lineage: { dataset: 'fox.txt' } });
  const metrics = await session.store.readMetrics('first');
  const trained = metrics.step.filter((_, row) => Number.isFinite(metrics['train/loss']?.[row]));
  const { step = 0 } = record ?? {};
  expect(step).toBeGreaterThan(0);
  expect(Array.from(trained)).toEqual(Array.from({ length: step }, (_, i) => i + 1));
  const run = await session.store.open('first');
  expect((await run.loadText())?.name).toBe('fox.txt');
  expect((await run.load())?.state.step).toBe(step);
  await run.close();
}

describe('commands that replace a run', () => {
  it.each(['start', 'resume', 'open', 'compare'] as const)('save it first: %s', async (type) => {
    session.send(startCommand({ run: 'other', paused: true }));
    await session.paused();
    session.send({ type: 'step' });
    await session.next('saved', ({ run }) => run === 'other');
    await train();
    const { trainer } = session;
    const commands = {
      start: startCommand({ run: 'third', paused: true }),
      resume: { type: 'resume', run: 'other', paused: true },
      open: { type: 'open', backend: 'cpu', calibrate: false },
      compare: { type: 'compare', id: 9, config: endless, mode: 'plain', steps: 1 },
    } as const;
    session.send(commands[type]);
    await answersCommands();
    const first = (await session.store.list()).find(({ run }) => run === 'first');
    expect([first?.step, first?.locked]).toEqual([trainer.step, false]);
  });

  it('end a generation, and wait for no more of it', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    const sampling = { ...tinyConfig().sampling, max_new_tokens: 1_000_000 };
    session.send({ type: 'generate', id: 1, prompt: 'the', sampling });
    await session.next('token');
    session.send({ type: 'release', id: 2 });
    await session.next('released');
    expect((await session.next('generation_done')).reason).toBe('cancelled');
  });
});

describe('a device that is lost', () => {
  it.each(['export', 'save', 'profile'] as const)(
    'hands a waiting %s over to the recovered run',
    async (type) => {
      await train();
      session.send({ type, id: 7 });
      session.send({ type: 'lose_device' });
      const answer = await vi.waitFor(() => {
        const found = session.events.find((event) => 'id' in event && event.id === 7);
        if (!found) throw new Error('There is no answer yet.');
        return found;
      });
      expect(answer.type).not.toBe('error');
      await answersCommands();
      await trainsOn();
    },
  );

  it('fails a generation that waits, and answers a tokenizer', async () => {
    await train();
    const { sampling } = tinyConfig();
    session.send({ type: 'generate', id: 7, prompt: 'the', sampling });
    session.send({ type: 'tokenize', id: 8, text: 'fox' });
    session.send({ type: 'lose_device' });
    const { error } = await session.next('error', withId(7));
    expect(error.code).toBe('device_lost');
    await session.next('tokens', withId(8));
    await trainsOn();
  });

  it('answers what waits even if calls on the lost device never return', async () => {
    await train();
    const [first] = session.trainers;
    if (!first) throw new Error('There is no trainer.');
    first.drain = () => new Promise(() => undefined);
    first.follow = () => new Promise(() => undefined);
    first.state = () => new Promise(() => undefined);
    session.send({ type: 'export', id: 7 });
    session.send({ type: 'lose_device' });
    await session.next('exported', withId(7));
    expect(session.trainers).toHaveLength(2);
    await trainsOn();
  });

  it('saves nothing that is read after the loss', async () => {
    await train();
    const saved = session.all('saved').length;
    const [first] = session.trainers;
    if (!first) throw new Error('There is no trainer.');
    const state = first.state.bind(first);
    first.state = async () => {
      session.loseDevice('lost while it is read');
      return state();
    };
    await session.next('notice', ({ message }) => message.includes('came back'));
    const [recovered] = session.all('started').slice(1);
    expect(session.all('saved')[saved - 1]?.step).toBe(recovered?.step);
  });

  it('during the compilation opens it again and starts the run', async () => {
    let created = 0;
    session = new SessionHarness({
      createTrainer: (options) => {
        created++;
        if (created > 1) return session.services.createTrainer(options);
        session.loseDevice('lost while compiling');
        return new Promise(() => undefined);
      },
    });
    session.send(startCommand());
    await session.next('finished');
    expect([created, session.opened]).toEqual([2, 2]);
  });

  it('during the recovery ends the run with an error, and the next run starts', async () => {
    let created = 0;
    session = new SessionHarness({
      createTrainer: (options) => {
        created++;
        if (created !== 2) return session.services.createTrainer(options);
        session.loseDevice('lost again');
        return new Promise(() => undefined);
      },
    });
    await train();
    session.send({ type: 'export', id: 7 });
    session.send({ type: 'lose_device' });
    const { error } = await session.next('error', ({ id }) => id === undefined);
    expect(error).toMatchObject({ code: 'device_lost', action: 'resume' });
    await answersCommands();
    session.send({ type: 'resume', run: 'first' });
    await session.next('started', ({ saved_step }) => saved_step !== null);
  });

  it('again and again recovers a run that gets further each time', async () => {
    await train();
    for (let losses = 1; losses <= 3; losses++) {
      const { step } = session.trainer;
      await session.next('saved', (event) => event.step > step);
      session.send({ type: 'lose_device' });
      await vi.waitFor(() => expect(session.trainers).toHaveLength(losses + 1));
      await trainsOn();
    }
    expect(session.all('error')).toEqual([]);
  });
});

describe('a pause', () => {
  it('while the run compiles pauses it as soon as it is ready', async () => {
    session = new SessionHarness({
      createTrainer: (options) => {
        session.send({ type: 'pause' });
        return session.services.createTrainer(options);
      },
    });
    session.send(startCommand());
    await session.paused();
    expect(session.trainer.step).toBe(0);
    session.send({ type: 'train' });
    await session.next('finished');
  });

  it('while the run recovers pauses it as soon as it is ready', async () => {
    session = new SessionHarness({
      createTrainer: (options) => {
        if (session.trainers.length > 0) session.send({ type: 'pause' });
        return session.services.createTrainer(options);
      },
    });
    await train();
    session.send({ type: 'lose_device' });
    await session.paused();
    expect(session.trainer.multipliers).toEqual([]);
  });

  it('that was withdrawn while the run compiles does not hold it', async () => {
    session = new SessionHarness({
      createTrainer: (options) => {
        session.send({ type: 'pause' });
        session.send({ type: 'train' });
        return session.services.createTrainer(options);
      },
    });
    session.send(startCommand());
    await session.next('finished');
  });
});

describe('a run that ended before a save', () => {
  it('is not listed if it took no step, as after a reload while it compiled', async () => {
    session = new SessionHarness({
      createTrainer: () => Promise.reject(new Error('The page was closed.')),
    });
    session.send(startCommand());
    await session.next('error');
    session.send({ type: 'list_runs' });
    expect((await session.next('runs')).runs).toEqual([]);
  });

  it('is listed as one that cannot be resumed if it took some', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.trainer.loss = 1e9;
    session.send({ type: 'train' });
    await session.next('error');
    session.send({ type: 'list_runs' });
    const { runs } = await session.next('runs');
    expect(runs).toMatchObject([{ run: 'first', resumable: false, locked: false }]);
  });
});
