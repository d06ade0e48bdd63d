/** A run over a fake trainer and storage in memory: jobs, hooks and its end. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RunStore, type OpenRun } from '../checkpoint/index.ts';
import { MemoryLocks } from '../checkpoint/store/locks.ts';
import { DEFAULT_OBJECTIVE } from '../objectives/index.ts';
import type { Event } from '../protocol/index.ts';
import { settleRun } from '../run/index.ts';
import { ActiveRun } from './active_run.ts';
import type { RunParts, RunStart } from './run_parts.ts';
import { DEVICE, FailingFileSystem, SessionHarness, TEXT, tinyConfig } from './testing_session.ts';
import { FakeTrainer } from './testing_trainer.ts';
import { prepareText } from './text.ts';

const config = tinyConfig();
const text = await prepareText(config, {
  text: TEXT,
  signal: new AbortController().signal,
  progress: () => undefined,
});

let events: Event[];
let files: FailingFileSystem;
let storage: OpenRun;
beforeEach(async () => {
  events = [];
  files = new FailingFileSystem();
  const store = new RunStore(files, new MemoryLocks(), null);
  storage = await store.create({ id: 'r', name: 'A run / 1', config, n_params: 1 });
});

function create(change: Partial<RunStart> = {}): Promise<ActiveRun> {
  const parts: RunParts = {
    id: 'r',
    name: 'A run / 1',
    adapter: DEVICE.adapter,
    settled: settleRun(tinyConfig(), { vocab_size: text.tokenizer.vocab_size }, DEVICE),
    objective: DEFAULT_OBJECTIVE,
    lineage: { objective: 'pretrain', parent: null, dataset: 'fox.txt' },
    text,
    storage,
  };
  const { services } = new SessionHarness();
  const emit = (event: Event): number => events.push(event);
  const surroundings = { services, emit, mark: () => undefined };
  return ActiveRun.create(
    parts,
    { from: null, stored: false, paused: false, ...change },
    surroundings,
  );
}
const typesOf = (type: Event['type']): Event[] => events.filter((event) => event.type === type);

describe('ActiveRun', () => {
  it('trains to its last step, saves on the way, and stays for jobs', async () => {
    const run = await create();
    expect(run.savedStep).toBeNull();
    expect(await run.train()).toBe('max_iters');
    expect([run.trainer.step, run.savedStep]).toEqual([20, 20]);
    const idle = run.idle();
    const { name, bytes } = await run.export();
    expect([name, bytes.length > 0]).toEqual(['A-run-1.zip', true]);
    run.end();
    expect(await idle).toBe(false);
  });

  it('does jobs between two steps while it is paused', async () => {
    const run = await create({ paused: true });
    const training = run.train();
    expect(await run.save()).toMatchObject({ step: 0 });
    const sampling = { ...config.sampling, max_new_tokens: 4 };
    expect(await run.generate({ id: 1, prompt: 'the', sampling })).toBe('length');
    run.control.set('stop');
    expect(await training).toBe('stopped');
    expect(run.trainer.step).toBe(0);
  });

  it('cancels a generation that is stopped', async () => {
    const run = await create({ paused: true });
    const training = run.train();
    run.stopGeneration(1);
    expect(await run.generate({ id: 1, prompt: '', sampling: config.sampling })).toBe('cancelled');
    run.end();
    await training;
  });

  it('tells of a failed autosave and trains on', async () => {
    const run = await create();
    files.isFull = true;
    expect(await run.train()).toBe('max_iters');
    expect(typesOf('error').length).toBeGreaterThan(1);
    expect([run.savedStep, typesOf('saved')]).toEqual([null, []]);
  });

  it('has an error for metrics that could not be written, until they are', async () => {
    const run = await create({ paused: true });
    const training = run.train();
    const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6000);
    files.isFull = true;
    run.control.set('step');
    const concerns = { concerns: 'metrics' };
    await vi.waitFor(() =>
      expect(typesOf('error')).toContainEqual(expect.objectContaining(concerns)),
    );
    later.mockReturnValue(performance.now() + 12_000);
    files.isFull = false;
    run.control.set('step');
    await vi.waitFor(() =>
      expect(typesOf('resolved')).toContainEqual({ type: 'resolved', ...concerns }),
    );
    later.mockRestore();
    run.end();
    await training;
  });

  it('has an error for samples that could not be drawn, until they are', async () => {
    const run = await create({ paused: true });
    run.config.sampling.sample_interval = 1;
    const { trainer } = run;
    if (!(trainer instanceof FakeTrainer)) throw new Error('The trainer is no fake.');
    const generation = vi.spyOn(trainer, 'generation').mockRejectedValue(new Error('No kernel.'));
    const training = run.train();
    run.control.set('step');
    await vi.waitFor(() => expect(typesOf('error')).toHaveLength(1));
    expect(typesOf('error')[0]).toMatchObject({ concerns: 'samples' });
    generation.mockRestore();
    run.control.set('step');
    await vi.waitFor(() =>
      expect(typesOf('resolved')).toContainEqual({ type: 'resolved', concerns: 'samples' }),
    );
    run.end();
    await training;
  });

  it('saves no weights that are not numbers, or all zeros', async () => {
    const run = await create({ paused: true });
    const training = run.train();
    const state = await run.trainer.state();
    for (const bad of [NaN, Infinity, 0]) {
      const parameters = new Map(
        [...state.parameters].map(([name, v]) => [name, v.map(() => bad)]),
      );
      vi.spyOn(run.trainer, 'state').mockResolvedValueOnce({ ...state, parameters });
      await expect(run.save()).rejects.toMatchObject({ code: 'bad_weights' });
    }
    expect(run.savedStep).toBeNull();
    await run.save();
    run.end();
    await training;
  });

  it('rejects a save that storage refuses, and keeps training', async () => {
    const run = await create({ paused: true });
    const training = run.train();
    files.isFull = true;
    await expect(run.save()).rejects.toMatchObject({ code: 'storage_full' });
    run.control.set('run');
    expect(await training).toBe('max_iters');
  });

  it('tells of the steps that exploded, with their learning rate', async () => {
    const run = await create();
    if (!(run.trainer instanceof FakeTrainer)) throw new Error('The trainer is no fake.');
    run.setLrMultiplier(100);
    run.trainer.loss = Infinity;
    await expect(run.train()).rejects.toThrow('The loss is not a number at step 1.');
    const rows = events.flatMap((event) => (event.type === 'metrics' ? [event.columns] : []));
    expect(rows.at(-1)?.step.at(-1)).toBe(1);
    expect(rows.at(-1)?.lr?.at(-1)).toBeCloseTo(0.1);
    run.abandon();
  });

  it('keeps what it started from until there is a checkpoint to recover from', async () => {
    const state = { parameters: new Map(), optimizer: new Map(), step: 0, tokens: 0 };
    const from = { state, elapsed_seconds: 0, best_val_loss: null };
    const run = await create({ from, paused: true });
    expect(run.origin).toBe(from);
    const training = run.train();
    await run.save();
    expect(run.origin).toBeNull();
    run.end();
    await training;
  });

  it('rejects jobs that are not done when it is closed, and frees its trainer once', async () => {
    const run = await create({ paused: true });
    const job = run.export();
    const rejected = expect(job).rejects.toThrow('The run ended before this was done.');
    await run.close();
    await rejected;
    const { trainer } = run;
    expect(trainer instanceof FakeTrainer && trainer.disposed).toBe(true);
    run.abandon();
    await expect(storage.readMetrics()).rejects.toThrow('This run was closed.');
  });
});
