/** The session over fakes: what it answers to commands, and what it survives. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProcessorMemoryFull } from '../backend/index.ts';
import { unzipFolder } from '../checkpoint/index.ts';
import { defineObjective, pretrain } from '../objectives/index.ts';
import type { SessionServices } from './services.ts';
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

/** A run that trained to its end and was saved. */
async function finishedRun(): Promise<void> {
  session.send(startCommand());
  await session.next('finished');
}

/** Files of the current run, as an export has them. */
async function exportedFiles(): Promise<{ path: string; bytes: Uint8Array }[]> {
  session.send({ type: 'export', id: 900 });
  const { bytes } = await session.next('exported', (event) => event.id === 900);
  return [...unzipFolder(bytes)].map(([path, content]) => ({ path, bytes: content }));
}

describe('start', () => {
  it('trains to the last step and saves', async () => {
    const config = tinyConfig(({ runtime }) => {
      runtime.autosave_interval = 4;
    });
    session.send(startCommand({ config }));
    await session.next('finished');
    expect(session.all('started')).toMatchObject([
      { run: 'first', step: 0, lr_multiplier: 1, lineage: { objective: 'pretrain', parent: null } },
    ]);
    expect(session.all('finished')).toEqual([{ type: 'finished', step: 20, reason: 'max_iters' }]);
    expect(session.all('saved').map(({ step }) => step)).toEqual([4, 8, 12, 16, 20]);
    expect(session.all('mark').map(({ mark }) => mark)).toContain('stored');
    const { step } = await session.store.readMetrics('first');
    expect(step.at(-1)).toBe(20);
  });

  it('refuses a recipe that cannot run, before it creates the run', async () => {
    const config = tinyConfig(({ model }) => {
      model.n_head = 3;
    });
    session.send(startCommand({ config }));
    const { error, id } = await session.next('error');
    expect([error.field, error.action, id]).toEqual(['model.n_embd', 'change_config', undefined]);
    expect(session.all('phase').at(-1)?.phase).toBe('failed');
    expect(await session.store.list()).toEqual([]);
  });

  it('shortens a warm-up that is longer than the run, says so and saves it like that', async () => {
    const config = tinyConfig(({ training }) => Object.assign(training, { warmup_iters: 100 }));
    session.send(startCommand({ config }));
    await session.next('finished');
    expect(session.all('error')).toEqual([]);
    expect(session.all('notice').map(({ message }) => message)).toEqual([
      'Warm-up is shortened from 100 to 20 steps, the length of the run (max_iters).',
    ]);
    expect(session.all('started')[0]?.config.training.warmup_iters).toBe(20);
    expect((await session.store.list())[0]?.config.training.warmup_iters).toBe(20);
    session.send({ type: 'resume', run: 'first' });
    await session.next('started', () => session.all('started').length > 1);
    expect(session.all('notice')).toHaveLength(1);
  });

  it('ends the run before it', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('metrics');
    session.send(startCommand({ run: 'second', paused: true }));
    await session.next('started', ({ run }) => run === 'second');
    expect(session.trainers.map(({ disposed }) => disposed)).toEqual([true, false]);
    expect((await session.store.list()).map(({ run, locked }) => [run, locked])).toEqual(
      expect.arrayContaining([
        ['first', false],
        ['second', true],
      ]),
    );
  });

  it("tells the page an objective's metrics and charts", async () => {
    const objective = defineObjective({ ...pretrain, name: 'margin', metrics: [METRIC] });
    session = new SessionHarness({
      findObjective: async (name) => (name === 'margin' ? objective : undefined),
    });
    session.send(startCommand({ objective: 'margin' }));
    const started = await session.next('started');
    expect(started.metrics).toEqual([METRIC]);
    expect(started.lineage).toMatchObject({ objective: 'margin', dataset: 'fox.txt' });
    expect(session.trainer.objective).toBe(objective);
  });

  it('refuses an objective that it does not have', async () => {
    session.send(startCommand({ objective: 'from the future' }));
    expect((await session.next('error')).error).toMatchObject({ code: 'unknown_objective' });
  });
});

describe('start from a parent', () => {
  it("takes a run's weights at step 0, with its tokenizer, and keeps the lineage", async () => {
    await finishedRun();
    const config = tinyConfig(({ tokenizer }) => {
      tokenizer.kind = 'byte';
    });
    session.send(startCommand({ run: 'child', config, parent: { run: 'first' }, paused: true }));
    const started = await session.next('started', ({ run }) => run === 'child');
    const parent = { kind: 'run', run: 'first', name: 'First', step: 20 };
    expect(started).toMatchObject({ step: 0, lineage: { parent, dataset: 'fox.txt' } });
    expect(started.config.tokenizer.kind).toBe('char');
    const from = session.trainer.options.from;
    expect([from?.step, from?.optimizer.size]).toEqual([0, 0]);
    // The fake trainer counts its steps in the first value of each weight.
    expect([...(from?.parameters.values() ?? [])].map((values) => values[0])).toContain(20);
    const records = await session.store.list();
    expect(records.find(({ run }) => run === 'child')?.lineage.parent).toEqual(parent);
    const exported = (await exportedFiles()).find(({ path }) => path.endsWith('lineage.json'));
    expect(new TextDecoder().decode(exported?.bytes)).toContain('"First"');
  });

  it('takes the weights of an imported folder', async () => {
    await finishedRun();
    const files = await exportedFiles();
    const parent = { name: 'folder', files };
    session.send(startCommand({ run: 'child', parent, paused: true }));
    const { lineage, step } = await session.next('started', ({ run }) => run === 'child');
    expect([lineage.parent, step]).toEqual([{ kind: 'imported', name: 'folder' }, 0]);
  });

  it('refuses another architecture and names the field', async () => {
    await finishedRun();
    const config = tinyConfig(({ model }) => {
      model.n_embd = 16;
    });
    session.send(startCommand({ run: 'child', config, parent: { run: 'first' } }));
    const { error } = await session.next('error');
    expect(error).toMatchObject({ code: 'parent_differs', field: 'model.n_embd' });
    expect(error.message).toBe('The model of “First” has n_embd 8, and this recipe has 16.');
  });

  it('refuses a text that the tokenizer of the parent cannot encode', async () => {
    await finishedRun();
    const text = { name: 'other.txt', bytes: new TextEncoder().encode('ÄÖÜ äöü\n'.repeat(50)) };
    session.send(startCommand({ run: 'child', text, parent: { run: 'first' } }));
    const { error } = await session.next('error');
    expect(error).toMatchObject({ code: 'parent_differs', field: 'data.corpus' });
    expect(error.message).toContain('“First”');
    expect(error.message).toContain('Ä');
  });
});

describe('resume', () => {
  it('continues from the last checkpoint, with its metrics', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved', ({ step }) => step === 10);
    session.send({ type: 'pause' });
    await session.paused();
    const { step } = session.trainer;
    session.send({ type: 'resume', run: 'first', paused: true });
    const resumed = await session.next('started', (event) => event.step > 0);
    expect(resumed.step).toBe(step);
    expect(resumed.history?.step.at(-1)).toBe(step);
    expect(session.trainer.options.from?.parameters.size).toBeGreaterThan(0);
  });

  it('keeps the multiplier of the learning rate, unless another is asked for', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'set_lr_multiplier', multiplier: 0.5 });
    session.send({ type: 'step' });
    await session.paused(2);
    session.send({ type: 'resume', run: 'first', paused: true });
    const resumed = await session.next('started', ({ step }) => step === 1);
    expect(resumed.lr_multiplier).toBe(0.5);
    session.send({ type: 'resume', run: 'first', paused: true, lr_multiplier: 0.125 });
    await session.next('started', ({ lr_multiplier }) => lr_multiplier === 0.125);
    expect(session.trainer.lr_multiplier).toBe(0.125);
  });

  it('keeps a multiplier that was set while the run was paused at its last checkpoint', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'step' });
    await session.next('saved', ({ step }) => step === 1);
    await session.paused(2);
    for (const multiplier of [0.5, 0.3, 0.25])
      session.send({ type: 'set_lr_multiplier', multiplier });
    await session.paused(3);
    expect(session.all('saved')).toHaveLength(2);
    session.send({ type: 'resume', run: 'first', paused: true });
    const resumed = await session.next('started', ({ step }) => step === 1);
    expect(resumed.lr_multiplier).toBe(0.25);
  });

  it('keeps how its table was read', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${i};A line about the river, number ${i}`);
    const bytes = new TextEncoder().encode(['id;note', ...rows].join('\n'));
    session.send(startCommand({ text: { name: 'notes.csv', bytes } }));
    await session.next('finished');
    await session.store.duplicate('first', 'copy', 'Copy');
    const run = await session.store.open('copy');
    expect(await run.loadText()).toMatchObject({ column: 'note', format: 'semicolon' });
    await run.close();
  });

  it('keeps the order of documents that the run was trained in, of whatever version', async () => {
    const words = Array.from({ length: 200 }, (_, i) => String(1000 + i));
    const text = {
      name: 'words.txt',
      bytes: new TextEncoder().encode(`${words.join('\n')}\n`),
    };
    /** Training tokens of the run that starts n-th. */
    const tokens = async (n: number): Promise<number[]> => {
      while (session.all('started').length < n)
        await new Promise((resolve) => setTimeout(resolve, 1));
      return [...session.trainer.options.split.train];
    };
    session.send(startCommand({ text }));
    await session.next('finished');
    const shuffled = await tokens(1);
    const files = await exportedFiles();
    session.send({ type: 'resume', run: 'first' });
    expect(await tokens(2)).toEqual(shuffled);
    session.send({ type: 'import', id: 1, run: 'copy', name: 'Copy', files, text });
    expect(await tokens(3)).toEqual(shuffled);
    // Earlier versions wrote no lineage.json, and did not shuffle.
    const earlier = files.filter(({ path }) => !path.endsWith('lineage.json'));
    session.send({ type: 'import', id: 2, run: 'old', name: 'Old', files: earlier, text });
    const inOrder = await tokens(4);
    expect(inOrder).toHaveLength(shuffled.length);
    const numbers = Array.from({ length: 180 }, (_, i) =>
      inOrder.slice(5 * i, 5 * i + 4).reduce((number, id) => 100 * number + id, 0),
    );
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    await session.next('saved', ({ run }) => run === 'old');
    session.send({ type: 'resume', run: 'old' });
    expect(await tokens(5)).toEqual(inOrder);
  });

  it('says that a run was never saved', async () => {
    session.send({ type: 'resume', run: 'missing' });
    expect((await session.next('error')).error.code).toBe('run_missing');
  });
});

describe('import', () => {
  it('continues from an exported run, with its lineage', async () => {
    await finishedRun();
    const files = await exportedFiles();
    session.send({ type: 'import', id: 800, run: 'copy', name: 'Copy', files, text: TEXT });
    const imported = await session.next('started', ({ run }) => run === 'copy');
    expect([imported.step, imported.lineage.parent]).toEqual([20, null]);
    expect(imported.history?.step.at(-1)).toBe(20);
  });

  it('names the folder as the parent of a model made elsewhere', async () => {
    await finishedRun();
    const foreign = (await exportedFiles()).filter(
      ({ path }) => !/training_state|optimizer|metrics|lineage/u.test(path),
    );
    const config = tinyConfig();
    session.send({
      type: 'import',
      id: 800,
      run: 'x',
      name: 'gpt',
      files: foreign,
      config,
      text: TEXT,
    });
    const { lineage, step } = await session.next('started', ({ run }) => run === 'x');
    expect([step, lineage.parent]).toEqual([0, { kind: 'imported', name: 'gpt' }]);
    const saved = await session.next('saved', ({ run }) => run === 'x');
    expect(saved.step).toBe(0);
  });

  it('refuses what is no checkpoint, and leaves no run behind', async () => {
    const files = [{ path: 'a.txt', bytes: new Uint8Array(3) }];
    session.send({ type: 'import', id: 800, run: 'x', name: 'X', files });
    await session.next('error');
    expect(await session.store.list()).toEqual([]);
  });
});

describe('a lost device', () => {
  it('is opened again, and the run continues from its checkpoint', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved', ({ step }) => step === 5);
    session.send({ type: 'set_lr_multiplier', multiplier: 0.5 });
    session.trainer.failure = new DOMException('The device is lost.', 'OperationError');
    session.send({ type: 'lose_device' });
    const recovered = await session.next('started', ({ step }) => step > 0);
    expect(session.opened).toBe(2);
    expect(recovered.step % 5).toBe(0);
    expect(recovered.lr_multiplier).toBe(0.5);
    expect(session.trainers.map(({ disposed }) => disposed)).toEqual([true, false]);
    await session.next('notice', ({ message }) => message.includes('came back'));
  });

  it('is called a thread of the processor if the run trains there', async () => {
    const wasm = async (...[wanted, events]: Parameters<SessionServices['tryBackends']>) => ({
      ...(await session.services.tryBackends(wanted, events)),
      backend: 'wasm' as const,
    });
    session = new SessionHarness({ tryBackends: wasm });
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved', ({ step }) => step === 5);
    session.trainer.failure = new Error('A thread of the processor stopped.');
    session.send({ type: 'lose_device' });
    const { detail } = await session.next('phase', ({ phase }) => phase === 'recovering');
    expect(detail).toMatch(/^A thread of the processor stopped \(lost for a test\); training cont/);
    const { message } = await session.next('notice', (notice) => notice.message.includes('step'));
    expect(message).toMatch(
      /^A thread of the processor stopped .* continues from step .* checkpoint/,
    );
  });

  it('wakes a paused run, which stays paused', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'lose_device' });
    await session.paused(2);
    expect(session.all('started')).toHaveLength(2);
  });

  it("leaves a run that was never saved with its parent's weights", async () => {
    await finishedRun();
    session.send(startCommand({ run: 'child', parent: { run: 'first' }, paused: true }));
    await session.next('started', ({ run }) => run === 'child');
    await session.paused();
    session.send({ type: 'lose_device' });
    await session.paused(2);
    const parameters = session.trainer.options.from?.parameters;
    expect([...(parameters?.values() ?? [])].map((values) => values[0])).toContain(20);
  });

  it('leaves an imported run that was never saved at the step of its import', async () => {
    await finishedRun();
    const files = await exportedFiles();
    session = new SessionHarness({
      createTrainer: (options) => {
        session.files.isFull = true;
        return session.services.createTrainer(options);
      },
    });
    session.send({ type: 'import', id: 800, run: 'copy', name: 'Copy', files, text: TEXT });
    await session.next('phase', ({ phase }) => phase === 'done');
    expect(session.all('saved')).toEqual([]);
    session.send({ type: 'lose_device' });
    await session.next('notice', ({ message }) => message.includes('came back'));
    const from = session.trainer.options.from;
    expect(from?.step).toBe(20);
    expect([...(from?.parameters.values() ?? [])].map((values) => values[0])).toContain(20);
    expect(session.all('started').at(-1)).toMatchObject({ run: 'copy', step: 20 });
  });

  it('keeps a multiplier that is set while the device is opened again', async () => {
    session = new SessionHarness({
      tryBackends: async (wanted, events) => {
        if (session.opened > 0) session.send({ type: 'set_lr_multiplier', multiplier: 0.5 });
        return session.services.tryBackends(wanted, events);
      },
    });
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'lose_device' });
    await session.paused(2);
    expect(session.all('started').at(-1)?.lr_multiplier).toBe(0.5);
    expect(session.trainer.lr_multiplier).toBe(0.5);
  });

  it('ends the run in a sentence where memory is full, and keeps its checkpoint', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved');
    session.trainer.failure = new ProcessorMemoryFull(2 ** 28, 2 ** 31);
    const { error } = await session.next('error');
    expect(error.code).toBe('out_of_memory');
    expect(error.message).toBe(
      'The browser gives the processor no more memory: 2048 MB are in use and 256 MB more are needed.',
    );
    expect(error.hint).toContain('then resume');
    session.send({ type: 'resume', run: 'first', paused: true });
    await session.next('started', ({ step }) => step > 0);
  });

  it('ends the run with an error if no device can be opened', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved');
    session.deviceFailure = new Error('No adapter.');
    session.trainer.failure = new DOMException('The device is lost.', 'OperationError');
    session.send({ type: 'lose_device' });
    const { error } = await session.next('error');
    expect(error).toMatchObject({ code: 'no_backend', message: 'No adapter.' });
    expect(session.all('phase').at(-1)?.phase).toBe('failed');
    expect((await session.store.list())[0]?.locked).toBe(false);
  });

  it('rejects a pending export instead of blocking the commands after it', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.deviceFailure = new Error('No adapter.');
    session.send({ type: 'lose_device' });
    session.send({ type: 'export', id: 7 });
    session.send({ type: 'list_runs' });
    await session.next('runs');
    expect(session.all('exported').length + session.all('error').filter(isOf(7)).length).toBe(1);
  });
});

describe('failing storage', () => {
  it('does not stop the training, and does not reject a pending export', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved');
    session.files.isFull = true;
    await session.next('error');
    session.send({ type: 'export', id: 3 });
    const { bytes } = await session.next('exported');
    expect(unzipFolder(bytes).size).toBeGreaterThan(0);
    const errors = session.all('error');
    expect(errors.every(({ id, error }) => id === undefined && error.code === 'storage_full')).toBe(
      true,
    );
    session.send({ type: 'save', id: 4 });
    const refused = await session.next('error', isOf(4));
    expect(refused.error.action).toBe('free_storage');
    expect(session.all('phase').some(({ phase }) => phase === 'failed')).toBe(false);
  });

  it('does not keep a run from being resumed', async () => {
    await finishedRun();
    session.files.isFull = true;
    session.send({ type: 'resume', run: 'first', paused: true });
    const resumed = await session.next('started', ({ step }) => step === 20);
    expect(resumed.history?.step.at(-1)).toBe(20);
    session.files.isFull = false;
    session.send({ type: 'save', id: 6 });
    await session.next('saved', ({ id }) => id === 6);
    expect((await session.store.readMetrics('first')).step.at(-1)).toBe(20);
  });

  it('saves again once there is room, with every metric in order', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved', ({ step }) => step === 5);
    session.files.isFull = true;
    await session.next('error');
    session.files.isFull = false;
    session.send({ type: 'save', id: 5 });
    const { step } = await session.next('saved', ({ id }) => id === 5);
    const metrics = await session.store.readMetrics('first');
    const losses = metrics.step.filter((_, row) => Number.isFinite(metrics['train/loss']?.[row]));
    expect(Array.from(losses.filter((at) => at <= step))).toEqual(
      Array.from({ length: step }, (_, i) => i + 1),
    );
  });
});

describe('requests', () => {
  it('are answered with their ids', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'tokenize', id: 1, text: 'fox' });
    session.send({ type: 'save', id: 2 });
    session.send({ type: 'load_history', id: 3, run: 'first' });
    session.send({ type: 'profile', id: 4 });
    const sampling = { ...tinyConfig().sampling, max_new_tokens: 3 };
    session.send({ type: 'generate', id: 5, prompt: 'the', sampling });
    expect((await session.next('tokens')).id).toBe(1);
    expect((await session.next('saved')).id).toBe(2);
    expect((await session.next('history')).id).toBe(3);
    expect((await session.next('profile')).id).toBe(4);
    expect(await session.next('generation_done')).toMatchObject({ id: 5, reason: 'length' });
    expect(session.all('token').flatMap(({ pieces }) => pieces)).toHaveLength(3);
  });

  it('fail with their ids, and fail nothing else', async () => {
    session.send({ type: 'export', id: 1 });
    session.send({ type: 'save', id: 2 });
    session.send({ type: 'tokenize', id: 3, text: '' });
    const { sampling } = tinyConfig();
    session.send({ type: 'generate', id: 4, prompt: '', sampling });
    session.send({ type: 'compare', id: 5, config: tinyConfig(), mode: 'plain', steps: 2 });
    for (const id of [1, 2, 3, 4, 5]) await session.next('error', isOf(id));
    expect(session.all('phase').some(({ phase }) => phase === 'failed')).toBe(false);
  });

  it('fails a generation whose prompt cannot be encoded, with its id', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    const { sampling } = tinyConfig();
    session.send({ type: 'generate', id: 6, prompt: '€', sampling });
    expect((await session.next('error')).id).toBe(6);
    expect(session.all('generation_done')).toEqual([]);
  });
});

describe('steering', () => {
  it('takes one step, scales the learning rate, and returns to the schedule', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'step' });
    await session.paused(2);
    session.send({ type: 'set_lr_multiplier', multiplier: 0.5 });
    session.send({ type: 'step' });
    await session.paused(3);
    session.send({ type: 'set_lr_multiplier', multiplier: 1 });
    session.send({ type: 'step' });
    await session.paused(4);
    expect(session.trainer.multipliers).toEqual([1, 0.5, 1]);
    expect(session.trainer.step).toBe(3);
  });

  it('changes the sampling of the run, also in its checkpoint', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.send({ type: 'set_sampling', sampling: { ...tinyConfig().sampling, top_k: 7 } });
    session.send({ type: 'save', id: 1 });
    await session.next('saved');
    expect((await session.store.list())[0]?.config.sampling.top_k).toBe(7);
  });

  it('stops on request, keeps the model, and trains on', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('metrics');
    session.send({ type: 'stop' });
    const { reason, step } = await session.next('finished');
    expect(reason).toBe('stopped');
    session.send({ type: 'export', id: 1 });
    await session.next('exported');
    session.send({ type: 'train' });
    await session.next('saved', (event) => event.step > step);
  });
});

describe('end', () => {
  it('closes a deleted run and frees its trainer', async () => {
    session.send(startCommand({ config: tinyConfig(longRun) }));
    await session.next('saved');
    session.send({ type: 'delete_runs', id: 1, runs: ['first'] });
    const { runs, deleted } = await session.next('runs');
    expect(deleted).toMatchObject([{ run: 'first' }]);
    expect(runs).toEqual([]);
    expect(session.trainer.disposed).toBe(true);
  });
});

const METRIC = {
  name: 'train/margin',
  unit: '',
  series: null,
  reduction: 'mean',
  help: 'A margin.',
} as const;

const isOf =
  (id: number) =>
  (event: { id?: number | undefined }): boolean =>
    event.id === id;

function longRun({ training }: ReturnType<typeof tinyConfig>): void {
  training.max_iters = 100_000;
}
