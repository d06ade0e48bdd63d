import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CHARTS, METRICS, type Chart, type Metric } from '../common/index.ts';
import {
  checkConfig,
  defaultConfig,
  PRESETS,
  type Preset,
  type RunConfig,
} from '../config/index.ts';
import type {
  Command,
  Event,
  PagePort,
  ReleasedRun,
  RunRecord,
  StartedEvent,
} from '../protocol/index.ts';
import { Client } from './client.ts';
import { compareMarkdown, CONTENDERS } from './compare_table.ts';
import { runComparison } from './comparison.ts';
import type { ComparisonRow } from '../protocol/index.ts';
import { setField, takePreset } from './form.ts';
import { createStores } from './stores.ts';
import { suspend } from './suspend.ts';

interface Probe {
  port: PagePort;
  sent: Command[];
  emit: (event: Event) => void;
  die: (reason: string) => void;
  closed: boolean;
}

function probe(): Probe {
  const made: Probe = {
    sent: [],
    closed: false,
    emit: () => undefined,
    die: () => undefined,
    port: {
      send: (command) => made.sent.push(command),
      close: () => {
        made.closed = true;
      },
      onEvent: (listener) => {
        made.emit = listener;
      },
      onDeath: (listener) => {
        made.die = listener;
      },
    },
  };
  return made;
}
let workers: Probe[];
let client: Client;
beforeEach(() => {
  workers = [];
  client = new Client(createStores(), spawn);
  return () => client.stop();
});
const spawn = (): PagePort => {
  const made = probe();
  workers.push(made);
  return made.port;
};
const worker = (index: number): Probe => {
  const found = workers[index];
  if (!found) throw new Error(`There is no worker ${index}.`);
  return found;
};
const types = (index: number): string[] =>
  worker(index)
    .sent.map((command) => command.type)
    .filter((type) => type !== 'ping');
const startedRun = (): string => {
  const command = worker(0).sent.find((one) => one.type === 'start');
  return command?.type === 'start' ? command.run : '';
};
const begin = (): void => {
  client.open();
  client.start();
  worker(0).emit(started());
};
const started = (): StartedEvent => ({
  type: 'started',
  run: startedRun(),
  name: 'n',
  config: client.stores.form.getState().config,
  step: 0,
  saved_step: null,
  n_params: 1,
  planned_bytes: 1,
  precision: { mixed_precision: 'no', subgroup_matrices: false, reason: null },
  lr_multiplier: 1,
  lineage: { objective: 'pretrain', parent: null, dataset: 'Names' },
  metrics: [],
  charts: [],
  history: null,
});
const idsOf = (type: Command['type']): number[] =>
  worker(0).sent.flatMap((command) =>
    command.type === type && 'id' in command ? [command.id] : [],
  );
const answerRelease = (released: ReleasedRun | null): void =>
  worker(0).emit({ type: 'released', id: idsOf('release').at(-1) ?? 0, released });
/** The run trains and has taken 7 steps, of which 5 are saved. */
const train = (): void => {
  begin();
  worker(0).emit({ type: 'metrics', columns: { step: Float64Array.of(7) } });
  worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
  worker(0).emit({ type: 'saved', run: startedRun(), step: 5, bytes: 1 });
};
const SUMMARY: Event = {
  type: 'data',
  data: {
    name: '',
    source: '',
    documents: 1,
    duplicates_removed: 0,
    bytes: 1,
    characters: 1,
    train_documents: 1,
    val_documents: 0,
    train_tokens: 1,
    val_tokens: 0,
    vocab_size: 3,
    tokenizer_kind: 'char',
    sample: '',
    table: null,
    notes: [],
    uniform_loss: 1,
    bigram_loss: null,
  },
};
const FULL = { code: 'storage_full', message: 'Storage is full.', hint: 'Free some.' };
const recordOf = (run: string, config: RunConfig): RunRecord => ({
  run,
  name: run,
  created: 0,
  updated: 0,
  step: 5,
  max_iters: 10,
  val_loss: null,
  last_val_loss: null,
  n_params: 1,
  bytes: 1,
  config,
  locked: false,
  resumable: true,
  lineage: { objective: 'pretrain', parent: null, dataset: 'Names' },
});

describe('Client', () => {
  it('uses the worker that it opened for the first run, and for the second where the first ended in good order', () => {
    begin();
    expect(types(0)).toEqual(['open', 'list_runs', 'start']);
    worker(0).emit({ type: 'finished', step: 10, reason: 'max_iters' });
    client.start();
    expect(worker(0).closed).toBe(false);
    expect(types(0)).toEqual(['open', 'list_runs', 'start', 'list_runs', 'start']);
    worker(0).emit({ type: 'error', error: { code: 'unexpected', message: '', hint: '' } });
    worker(0).emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
    client.start();
    expect(worker(0).closed).toBe(true);
    expect(types(1)).toEqual(['open', 'start']);
  });

  it('takes another worker for another backend', () => {
    begin();
    worker(0).emit({ type: 'finished', step: 10, reason: 'max_iters' });
    const { config } = client.stores.form.getState();
    client.start({ ...config, runtime: { ...config.runtime, backend: 'cpu' } });
    expect(worker(0).closed).toBe(true);
    expect(types(1)).toEqual(['open', 'start']);
  });

  it('knows how long a start takes, from Train to the first loss', () => {
    begin();
    const { pressed } = client.stores.run.getState();
    worker(0).emit({ type: 'mark', mark: 'prepared', at: pressed + 120 });
    worker(0).emit({ type: 'mark', mark: 'compiled', at: pressed + 300 });
    worker(0).emit({
      type: 'metrics',
      columns: { step: Float64Array.of(0), 'val/loss': Float64Array.of(3) },
    });
    worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
    const before = client.stores.run.getState().start;
    expect(before.prepared).toBeCloseTo(120);
    expect(before.compiled).toBeCloseTo(300);
    expect(before.first_loss).toBeUndefined();
    worker(0).emit({
      type: 'metrics',
      columns: { step: Float64Array.of(1), 'train/loss': Float64Array.of(3) },
    });
    worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
    const first = client.stores.run.getState().start.first_loss ?? NaN;
    expect(first).toBeGreaterThanOrEqual(0);
    worker(0).emit({
      type: 'metrics',
      columns: { step: Float64Array.of(2), 'train/loss': Float64Array.of(2) },
    });
    worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
    expect(client.stores.run.getState().start).toEqual({ ...before, first_loss: first });
  });

  it('says that the worker died, keeps what was saved, and resumes in another', () => {
    begin();
    worker(0).emit({ type: 'saved', run: startedRun(), step: 200, bytes: 1 });
    worker(0).die('out of memory');
    const { error, phase, connection } = client.stores.run.getState();
    expect({ phase, connection, action: error?.action }).toEqual({
      phase: 'failed',
      connection: 'dead',
      action: 'resume',
    });
    expect(error?.hint).toContain('step 200');
    client.resume(startedRun());
    expect(types(1)).toContain('resume');
  });

  it('hears nothing more of a worker that it ended', () => {
    begin();
    const first = worker(0);
    worker(0).emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
    client.start();
    first.emit({ type: 'error', error: { code: 'late', message: '', hint: '' } });
    expect(client.stores.run.getState().error).toBeNull();
  });

  it('appends metrics at once, tells the page a little later, and before anything else is told', () => {
    vi.useFakeTimers();
    try {
      begin();
      const metrics = (step: number): Event => ({
        type: 'metrics',
        columns: { step: Float64Array.of(step), 'train/loss': Float64Array.of(3) },
      });
      worker(0).emit(metrics(1));
      expect(client.stores.table.get('train/loss')?.length).toBe(1);
      expect(client.stores.run.getState().step).toBe(0);
      vi.advanceTimersByTime(250);
      expect(client.stores.run.getState().step).toBe(1);
      worker(0).emit(metrics(2));
      worker(0).emit({ type: 'phase', phase: 'paused', detail: '', progress: null });
      expect(client.stores.run.getState()).toMatchObject({ step: 2, phase: 'paused' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('matches answers to requests by id', async () => {
    client.open();
    const [first, second] = [client.tokenize('a'), client.tokenize('b')];
    const [firstId, secondId] = idsOf('tokenize');
    worker(0).emit({ type: 'tokens', id: secondId ?? 0, pieces: [{ id: 9, text: 'b' }] });
    worker(0).emit({ type: 'tokens', id: firstId ?? 0, pieces: [{ id: 8, text: 'a' }] });
    expect([(await first).pieces[0]?.id, (await second).text]).toEqual([8, 'b']);
  });

  it('rejects a request by the error with its id, and by no other error', async () => {
    begin();
    const exported = client.export();
    const [id = 0] = idsOf('export');
    const full = { code: 'storage_full', message: 'Storage is full.', hint: 'Free some.' };
    worker(0).emit({ type: 'error', error: full });
    expect(client.stores.run.getState().error).toEqual(full);
    worker(0).emit({ type: 'error', id: id + 1, error: { ...full, code: 'another' } });
    worker(0).emit({ type: 'exported', id, name: 'n.zip', bytes: new Uint8Array(3) });
    expect((await exported).bytes).toHaveLength(3);

    const refused = client.export();
    const error = { code: 'x', message: 'No run.', hint: 'Start one.' };
    worker(0).emit({ type: 'error', id: idsOf('export')[1], error });
    await expect(refused).rejects.toThrow('No run. Start one.');
    expect(client.stores.run.getState().error?.code).toBe('another');
  });

  it('changes the backend once the run is saved and closed', async () => {
    begin();
    worker(0).emit({ type: 'metrics', columns: { step: Float64Array.of(7) } });
    worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
    const run = startedRun();
    const changed = client.changeBackend('cpu');
    expect(types(0).at(-1)).toBe('release');
    worker(0).emit({ type: 'saved', run, step: 5, bytes: 1 });
    await Promise.resolve();
    expect(workers).toHaveLength(1);
    answerRelease({ run, name: 'n', step: 7 });
    await changed;
    expect(worker(0).closed).toBe(true);
    expect(worker(1).sent).toContainEqual({ type: 'resume', run, paused: false, backend: 'cpu' });
  });

  it('saves a paused run once more, which may have a multiplier that no checkpoint has', async () => {
    begin();
    worker(0).emit({ ...started(), step: 5 });
    worker(0).emit({ type: 'phase', phase: 'paused', detail: '', progress: null });
    const run = startedRun();
    client.setLrMultiplier(0.5);
    const changed = client.changeBackend('cpu');
    expect(types(0).at(-1)).toBe('release');
    answerRelease({ run, name: 'n', step: 5 });
    await changed;
    expect(worker(1).sent).toContainEqual({ type: 'resume', run, paused: true, backend: 'cpu' });
  });

  it('keeps a run paused if the backend is changed again before it is open', async () => {
    begin();
    worker(0).emit({ type: 'phase', phase: 'paused', detail: '', progress: null });
    const run = startedRun();
    const changed = client.changeBackend('cpu');
    answerRelease({ run, name: 'n', step: 5 });
    await changed;
    worker(1).emit({ type: 'phase', phase: 'preparing', detail: '', progress: null });
    await client.changeBackend('wasm');
    expect(worker(2).sent).toContainEqual({ type: 'resume', run, paused: true, backend: 'wasm' });
  });

  it('opens another backend after a failure, where there is no run to save', async () => {
    begin();
    worker(0).emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
    await client.changeBackend('cpu');
    expect(types(0)).not.toContain('save');
    expect(types(1)).toEqual(['open', 'list_runs']);
  });

  it('stays on its backend if the save fails, and shows why', async () => {
    begin();
    worker(0).emit({ type: 'metrics', columns: { step: Float64Array.of(7) } });
    worker(0).emit({ type: 'phase', phase: 'training', detail: '', progress: null });
    const changed = client.changeBackend('cpu');
    const error = { code: 'storage_full', message: 'Storage is full.', hint: 'Free some.' };
    worker(0).emit({ type: 'error', id: idsOf('release')[0], error });
    await changed;
    expect(workers).toHaveLength(1);
    expect(client.stores.run.getState().error).toEqual(error);
  });

  it('keeps the multiplier of the learning rate that the user set or the run has', () => {
    begin();
    client.setLrMultiplier(0.5);
    expect(worker(0).sent).toContainEqual({ type: 'set_lr_multiplier', multiplier: 0.5 });
    expect(client.stores.run.getState().lr_multiplier).toBe(0.5);
    worker(0).emit({ ...started(), lr_multiplier: 0.25 });
    expect(client.stores.run.getState().lr_multiplier).toBe(0.25);
  });

  it("starts a run from another run's weights, with its model and tokenizer", () => {
    const parent = defaultConfig();
    parent.model.n_embd = 96;
    parent.tokenizer.kind = 'byte';
    client.open();
    worker(0).emit({
      type: 'runs',
      runs: [recordOf('parent', parent)],
      storage: { used: 0, quota: null, persistent: true, available: true, budget: null },
      deleted: [],
      notes: [],
    });
    setField(client.stores.form, 'training.batch_size', 3);
    client.startFrom('parent');
    const command = worker(0).sent.find((one) => one.type === 'start');
    expect(command).toMatchObject({
      parent: { run: 'parent' },
      config: { model: { n_embd: 96 }, tokenizer: { kind: 'byte' }, training: { batch_size: 3 } },
    });
  });

  it("knows the metrics and charts that a run's objective adds", () => {
    begin();
    const metric: Metric = {
      name: 'train/margin',
      unit: '',
      series: { chart: 'margin', label: 'margin', colour: 'other', kind: 'line', smooth: false },
      reduction: 'mean',
      help: 'Margin.',
    };
    const chart: Chart = { id: 'margin', title: 'Margin', unit: '', format: 'number' };
    worker(0).emit({ ...started(), metrics: [metric], charts: [chart] });
    const { metrics, charts } = client.stores.run.getState();
    expect([metrics.at(-1), charts.at(-1)]).toEqual([metric, chart]);
    expect([metrics.length, charts.length]).toEqual([METRICS.length + 1, CHARTS.length + 1]);
  });

  it('knows which text a summary speaks of', () => {
    client.open();
    client.prepare();
    worker(0).emit(SUMMARY);
    const key = client.stores.form.getState().preparedKey;
    setField(client.stores.form, 'data.val_fraction', 0.2);
    client.prepare();
    expect(key).not.toBeNull();
    expect(client.stores.form.getState().preparedKey).toBe(key);
  });

  it('knows that a new worker has no text yet', async () => {
    client.open();
    client.prepare();
    worker(0).emit(SUMMARY);
    expect(client.stores.form.getState().preparedKey).not.toBeNull();
    await client.changeBackend('cpu');
    expect(client.stores.form.getState().preparedKey).toBeNull();
  });

  it('takes a layout together with the activation that belongs to it, and no value outside of the range', () => {
    const { form } = client.stores;
    expect(setField(form, 'model.layout', 'llama')).toBe(true);
    expect(form.getState().config.model.activation_function).toBe('silu');
    expect(form.getState().changed.has('model.layout')).toBe(true);
    expect(setField(form, 'model.n_layer', 0)).toBe(false);
    expect(form.getState().config.model.n_layer).toBeGreaterThan(0);
  });
});

describe('the recipe of a run', () => {
  const preset = (id: string): Preset => {
    const found = PRESETS.find((one) => one.id === id);
    if (!found) throw new Error(`There is no preset ${id}.`);
    return found;
  };
  it('stays with its preset when another one is chosen while it trains', () => {
    const { form, run } = client.stores;
    takePreset(form, preset('names'));
    begin();
    takePreset(form, preset('classic'));
    expect(run.getState().recipe).toMatchObject({ preset: 'names', base: preset('names').config });
  });
  it('keeps the backend that the user chose when a preset is taken', () => {
    const { form } = client.stores;
    setField(form, 'runtime.backend', 'wasm');
    takePreset(form, preset('names'));
    expect(form.getState().config.runtime.backend).toBe('wasm');
    expect([...form.getState().changed]).toEqual([]);
  });
  it('loses the options of Llama when GPT-2 is chosen', () => {
    const { form } = client.stores;
    takePreset(form, preset('small_llama'));
    setField(form, 'model.layout', 'gpt2');
    expect(checkConfig(form.getState().config)).toEqual([]);
    setField(form, 'model.layout', 'llama');
    expect(checkConfig(form.getState().config)).toEqual([]);
  });
  it('drops the calibration of another backend', () => {
    client.open();
    const device = (backend: 'webgpu' | 'wasm'): Event => ({
      type: 'device',
      device: {
        backend,
        reason: '',
        adapter: '',
        limits: { max_buffer_size: 1, max_binding_size: 1, workgroup_storage: 0 },
        features: [],
      },
    });
    worker(0).emit(device('webgpu'));
    worker(0).emit({ type: 'calibration', flops_per_second: 1e12, step_overhead_ms: 1 });
    worker(0).emit(device('webgpu'));
    expect(client.stores.run.getState().calibration).toMatchObject({ backend: 'webgpu' });
    worker(0).emit(device('wasm'));
    expect(client.stores.run.getState().calibration).toBeNull();
  });
});

describe('replacing a run that trains', () => {
  const other = (): void => {
    const runs = [recordOf('other', client.stores.form.getState().config)];
    const storage = { used: 0, quota: null, persistent: true, available: true, budget: null };
    worker(0).emit({ type: 'runs', runs, storage, deleted: [], notes: [] });
  };

  it.each<[string, Command['type'], () => void]>([
    ['a new run', 'start', () => client.start()],
    ['another run', 'resume', () => client.resume('other')],
  ])('saves and closes it before %s takes its worker', async (_name, type, replace) => {
    train();
    other();
    const run = startedRun();
    replace();
    // A second click changes nothing.
    replace();
    expect(types(0).filter((sent) => sent === 'release')).toHaveLength(1);
    expect(client.stores.run.getState()).toMatchObject({ run, phase: 'training' });
    answerRelease({ run, name: 'Names', step: 7 });
    await vi.waitFor(() => expect(types(0).at(-1)).toBe(type));
    expect(worker(0).closed).toBe(false);
    expect(client.stores.run.getState().notices.at(-1)?.message).toBe(
      '“Names” was saved at step 7.',
    );
  });

  it.each<[string, () => void]>([
    ['a new run', () => client.start()],
    ['another run', () => client.resume('other')],
    ['another backend', () => void client.changeBackend('cpu')],
  ])('keeps it where it is if storage refuses, and says why: %s', async (_name, replace) => {
    train();
    other();
    const before = client.stores.run.getState();
    replace();
    worker(0).emit({ type: 'error', id: idsOf('release')[0], error: FULL });
    await vi.waitFor(() => expect(client.stores.run.getState().error).toEqual(FULL));
    expect(client.stores.run.getState()).toEqual({ ...before, error: FULL, refused: FULL });
    expect([worker(0).closed, workers.length]).toEqual([false, 1]);
    // Whoever made room may try again.
    replace();
    expect(idsOf('release')).toHaveLength(2);
  });

  it('keeps it while files are read, and if they are no checkpoint', async () => {
    train();
    const before = client.stores.run.getState();
    client.importFiles('photo', []);
    expect(types(0).at(-1)).toBe('import');
    expect(client.stores.run.getState()).toEqual(before);
    const error = { code: 'missing_file', message: 'There is no model.', hint: 'Choose another.' };
    worker(0).emit({ type: 'error', id: idsOf('import')[0], error });
    await vi.waitFor(() => expect(client.stores.run.getState().error).toEqual(error));
    expect(client.stores.run.getState()).toEqual({ ...before, error, refused: error });
    expect([worker(0).closed, workers.length]).toEqual([false, 1]);
  });

  it('still says why files are no checkpoint while the text for the panel is read', async () => {
    client.open('wasm', false);
    client.importFiles('photo', []);
    const error = { code: 'missing_file', message: 'There is no model.', hint: 'Choose another.' };
    worker(0).emit({ type: 'error', id: idsOf('import')[0], error });
    await vi.waitFor(() => expect(client.stores.run.getState().error).toEqual(error));
    client.prepare();
    worker(0).emit({ type: 'phase', phase: 'preparing', detail: '', progress: null });
    expect(client.stores.run.getState().error).toEqual(error);
  });

  it('shows the imported run once the files are read and the run before is saved', () => {
    train();
    const run = startedRun();
    client.importFiles('model', []);
    const released = { run, name: 'Names', step: 7 };
    worker(0).emit({ type: 'importing', id: idsOf('import')[0] ?? 0, run: 'x', released });
    const { phase, name, notices, savedStep } = client.stores.run.getState();
    expect([phase, name, savedStep]).toEqual(['preparing', 'model', null]);
    expect(notices.at(-1)?.message).toBe('“Names” was saved at step 7.');
    // An imported run is safe only once it was saved here.
    worker(0).emit({ ...started(), run: 'x', step: 200, saved_step: null });
    worker(0).die('out of memory');
    expect(client.stores.run.getState().error?.hint).not.toContain('is safe: resume');
  });

  it('asks for a finished run too, if its last save failed', () => {
    train();
    worker(0).emit({ type: 'finished', step: 10, reason: 'max_iters' });
    client.start();
    expect(types(0).at(-1)).toBe('release');
  });

  it('does not move a run to another worker if only this one has it', async () => {
    train();
    const storage = { used: 0, quota: null, persistent: false, available: false, budget: null };
    worker(0).emit({ type: 'runs', runs: [], storage, deleted: [], notes: [] });
    await client.changeBackend('cpu');
    expect(client.stores.run.getState().error).toMatchObject({ action: 'export' });
    expect([worker(0).closed, idsOf('release')]).toEqual([false, []]);
  });
});

it('lists the runs again once a run has ended and is saved', () => {
  train();
  worker(0).emit({ type: 'finished', step: 7, reason: 'stopped' });
  expect(types(0).at(-1)).toBe('list_runs');
});

describe('errors of a run that trains on', () => {
  const troubles = () => client.stores.run.getState().troubles;

  it('have a place each, and end when what failed succeeds', () => {
    train();
    const samples = { code: 'x', message: 'No samples.', hint: '' };
    worker(0).emit({ type: 'error', concerns: 'save', error: FULL });
    worker(0).emit({ type: 'error', concerns: 'samples', error: samples });
    for (const phase of ['saving', 'training', 'evaluating', 'paused', 'training'] as const)
      worker(0).emit({ type: 'phase', phase, detail: '', progress: null });
    worker(0).emit({ ...started(), step: 5, saved_step: 5 });
    expect(troubles()).toEqual({ save: FULL, samples });
    expect(client.stores.run.getState().error).toBeNull();
    worker(0).emit({ type: 'resolved', concerns: 'samples' });
    expect(troubles()).toEqual({ save: FULL });
    worker(0).emit({ type: 'saved', run: startedRun(), step: 10, bytes: 1 });
    expect(troubles()).toEqual({});
  });

  it('stay beside the generation that failed, until the next one', () => {
    train();
    const { sampling } = client.stores.form.getState().config;
    client.generate('€', sampling);
    const error = { code: 'unknown_character', message: 'No €.', hint: '' };
    worker(0).emit({ type: 'error', id: idsOf('generate')[0], error });
    const { generation, error: failure } = client.stores.run.getState();
    expect([generation?.error, generation?.running, failure]).toEqual([error, false, null]);
    client.generate('a', sampling);
    expect(client.stores.run.getState().generation?.error).toBeNull();
  });

  it('of a file that is no model stay while the run evaluates, saves and trains on', async () => {
    train();
    client.importFiles('photo', []);
    const error = { code: 'bad_zip', message: 'photo is no zip.', hint: '' };
    worker(0).emit({ type: 'error', id: idsOf('import')[0], error });
    await vi.waitFor(() => expect(client.stores.run.getState().error).toEqual(error));
    for (const phase of ['evaluating', 'training', 'saving', 'training'] as const)
      worker(0).emit({ type: 'phase', phase, detail: '', progress: null });
    expect(client.stores.run.getState().error).toEqual(error);
  });

  it('of files that are opened at once are not followed by a text that clears them', async () => {
    client.open();
    client.importFiles('photo', []);
    expect(client.stores.run.getState().phase).toBe('preparing');
    const error = { code: 'bad_zip', message: 'photo is no zip.', hint: '' };
    worker(0).emit({ type: 'error', id: idsOf('import')[0], error });
    await vi.waitFor(() => expect(client.stores.run.getState().error).toEqual(error));
    worker(0).emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
    expect(client.stores.run.getState()).toMatchObject({ phase: 'idle', error });
  });

  it('of a save keep the page from being left, without a wait', async () => {
    train();
    const left = suspend(client);
    worker(0).emit({ type: 'error', id: idsOf('save')[0], error: FULL });
    expect(await left).toBe(false);
  });

  it('of a save that the page asks for stay until a save succeeds', async () => {
    train();
    client.save();
    worker(0).emit({ type: 'error', id: idsOf('save')[0], error: FULL });
    await vi.waitFor(() => expect(troubles()).toEqual({ save: FULL }));
  });
});

describe('runComparison', () => {
  it('runs one worker after another, notes failures, and ends each', async () => {
    const { compare, form } = client.stores;
    const command = { type: 'compare', config: form.getState().config, steps: 2 } as const;
    const done = runComparison(compare, spawn, {
      contenders: CONTENDERS.filter(
        ({ backend, mode }) => mode === 'plain' && (backend === 'wasm' || backend === 'cpu'),
      ),
      command,
      signal: new AbortController().signal,
    });
    expect(workers).toHaveLength(1);
    worker(0).emit({ type: 'comparison', id: 1, row: rowOf({ backend: 'wasm' }) });
    await vi.waitFor(() => expect(workers).toHaveLength(2));
    worker(1).die('no memory');
    await done;
    const { rows, running } = compare.getState();
    expect([rows.length, running, worker(0).closed, worker(1).closed]).toEqual([
      2,
      null,
      true,
      true,
    ]);
    expect(rows[1]?.error).toContain('no memory');
    expect(compareMarkdown(rows).split('\n')).toHaveLength(4);
  });

  it('asks for each way to run on WebGPU in turn', async () => {
    const { compare, form } = client.stores;
    const command = { type: 'compare', config: form.getState().config, steps: 2 } as const;
    const done = runComparison(compare, spawn, {
      contenders: CONTENDERS.slice(0, 3),
      command,
      signal: new AbortController().signal,
    });
    for (const [index, mode] of (['replayed', 'op_by_op', 'plain'] as const).entries()) {
      await vi.waitFor(() => expect(workers).toHaveLength(index + 1));
      expect(worker(index).sent).toMatchObject([
        { type: 'compare', mode, config: { runtime: { backend: 'webgpu' } } },
      ]);
      worker(index).emit({ type: 'comparison', id: 1, row: rowOf({ mode }) });
    }
    await done;
    expect(compareMarkdown(compare.getState().rows)).toContain(
      '| WebGPU | plain TensorFlow.js | 2 |',
    );
  });

  it('runs stock TensorFlow.js in a worker of its own kind', async () => {
    const spawnStock = vi.fn(spawn);
    const own = new Client(createStores(), spawn, spawnStock);
    const stock = CONTENDERS.filter(({ mode }) => mode !== 'op_by_op').slice(1, 3);
    own.compare(own.stores.form.getState().config, stock, 2);
    expect([workers.length, spawnStock.mock.calls.length]).toEqual([1, 0]);
    worker(0).emit({ type: 'comparison', id: 1, row: rowOf({ mode: 'plain' }) });
    await vi.waitFor(() => expect(workers).toHaveLength(2));
    expect(spawnStock).toHaveBeenCalledOnce();
    expect(worker(1).sent).toMatchObject([{ type: 'compare', mode: 'stock' }]);
    own.stop();
  });
});

const rowOf = (change: Partial<ComparisonRow>): ComparisonRow => ({
  backend: 'webgpu',
  mode: 'replayed',
  steps: 2,
  ms_per_step: 10,
  tokens_per_second: 5,
  dispatches_per_step: null,
  submits_per_step: null,
  gpu_bytes: null,
  losses: [4, 2],
  ...change,
});
