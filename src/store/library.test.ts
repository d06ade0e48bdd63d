import { beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultConfig, withField, type RunConfig } from '../config/index.ts';
import type { Command, Event, PagePort, RunRecord, StartCommand } from '../protocol/index.ts';
import { Client } from './client.ts';
import { fieldTitle, recipeDifferences, valueText } from './recipe_difference.ts';
import { hasEarlierBest, runStatus } from './run_status.ts';
import { createStores } from './stores.ts';
import { rangeValues, readValues } from './sweep_values.ts';

let sent: Command[];
let emit: (event: Event) => void;
let die: (reason: string) => void;
let client: Client;

beforeEach(() => {
  sent = [];
  const spawn = (): PagePort => ({
    send: (command) => sent.push(command),
    close: () => undefined,
    onEvent: (listener) => {
      emit = listener;
    },
    onDeath: (listener) => {
      die = listener;
    },
  });
  client = new Client(createStores(), spawn);
  return () => client.stop();
});

const starts = (): StartCommand[] =>
  sent.filter((command): command is StartCommand => command.type === 'start');

const started = ({ run, name, config }: StartCommand): Event => ({
  type: 'started',
  run,
  name,
  config,
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

const failure = (message: string): Event => ({
  type: 'error',
  error: { code: 'text_malformed', message, hint: '' },
});

const record = (change: Partial<RunRecord> = {}): RunRecord => ({
  run: 'a',
  name: 'A',
  created: 0,
  updated: 0,
  step: 5,
  max_iters: 10,
  val_loss: null,
  last_val_loss: null,
  n_params: 1,
  bytes: 1,
  config: defaultConfig(),
  locked: false,
  resumable: true,
  lineage: { objective: 'pretrain', parent: null, dataset: 'Names' },
  best: null,
  ...change,
});

describe('a sweep', () => {
  const path = 'training.learning_rate';
  const sweep = (values: readonly number[]): void => {
    client.open();
    const { config } = client.stores.form.getState();
    client.sweep.start({ config, name: 'Names', path, values });
  };
  const members = () =>
    client.stores.sweep.getState().members.map(({ name, status }) => [name, status]);
  /** Waits until the run of the n-th member was asked for, and says that it trains. */
  const trains = async (index: number): Promise<StartCommand> => {
    await vi.waitFor(() => expect(starts()).toHaveLength(index + 1));
    const command = starts()[index];
    if (!command) throw new Error('It was not started.');
    emit(started(command));
    emit({ type: 'phase', phase: 'training', detail: '', progress: 0 });
    return command;
  };
  const finish = (reason: 'max_iters' | 'stopped' = 'max_iters'): void => {
    emit({ type: 'saved', run: client.stores.run.getState().run ?? '', step: 10, bytes: 1 });
    emit({ type: 'finished', step: 10, reason });
    emit({ type: 'phase', phase: 'done', detail: '', progress: 1 });
  };

  it('trains its runs one after the other, named by what differs', async () => {
    sweep([0.001, 0.01]);
    const first = await trains(0);
    expect(first).toMatchObject({ name: 'Names, lr 0.001' });
    expect(first.config.training.learning_rate).toBe(0.001);
    expect(members()).toEqual([
      ['Names, lr 0.001', 'training'],
      ['Names, lr 0.01', 'waiting'],
    ]);
    expect(starts()).toHaveLength(1);
    finish();
    const second = await trains(1);
    expect(second.config.training.learning_rate).toBe(0.01);
    expect(sent).toContainEqual(expect.objectContaining({ type: 'load_history', run: first.run }));
    finish();
    await vi.waitFor(() => expect(client.stores.sweep.getState().running).toBe(false));
    expect(members().map(([, status]) => status)).toEqual(['done', 'done']);
    expect(client.stores.sweep.getState().ended).toBe('');
  });

  it('goes on after a run that fails, a worker that dies and a run that was stopped', async () => {
    sweep([0.001, 0.002, 0.003, 0.004]);
    await vi.waitFor(() => expect(starts()).toHaveLength(1));
    emit(failure('The text cannot be read.'));
    emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
    await trains(1);
    die('out of memory');
    await trains(2);
    finish('stopped');
    await trains(3);
    finish();
    await vi.waitFor(() => expect(client.stores.sweep.getState().running).toBe(false));
    const { members: all } = client.stores.sweep.getState();
    expect(all.map(({ status }) => status)).toEqual(['failed', 'failed', 'stopped', 'done']);
    expect(all[0]?.problem).toBe('The text cannot be read.');
    expect(all[1]?.problem).toContain('out of memory');
  });

  it('can be cancelled: the run that trains is stopped, and no other is started', async () => {
    sweep([0.001, 0.01, 0.1]);
    await trains(0);
    client.sweep.cancel();
    expect(sent.at(-2)?.type === 'stop' || sent.at(-1)?.type === 'stop').toBe(true);
    finish('stopped');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(starts()).toHaveLength(1);
    expect(members().map(([, status]) => status)).toEqual(['stopped', 'stopped', 'stopped']);
    expect(client.stores.sweep.getState()).toMatchObject({
      running: false,
      ended: 'The sweep was cancelled.',
    });
  });

  it('ends when the user opens another run', async () => {
    sweep([0.001, 0.01]);
    const first = await trains(0);
    emit(started({ ...first, run: 'another' }));
    expect(client.stores.sweep.getState()).toMatchObject({ running: false });
    finish();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(starts()).toHaveLength(1);
  });

  it('reads values as they are typed', () => {
    expect(readValues(path, '0.001, 3e-3;0.01')).toEqual({ values: [0.001, 0.003, 0.01] });
    expect(readValues('model.layout', 'gpt2 llama')).toEqual({ values: ['gpt2', 'llama'] });
    expect(readValues('model.n_layer', '1, 2.5')).toEqual({
      problem: expect.stringContaining('“2.5” is not a whole number') as string,
    });
    for (const text of ['0.1', '0.1 0.1', '', 'x, y', '1 2 3 4 5 6 7 8 9'])
      expect(readValues(path, text), text).toHaveProperty('problem');
    expect(readValues('model.n_layer', '1 2 3 4 5 6 7 8 9')).toHaveProperty('problem');
  });

  it('spaces a range evenly, or its exponents', () => {
    const range = { from: 0.0001, to: 0.01, count: 3 };
    expect(rangeValues(path, { ...range, scale: 'log' })).toEqual({
      values: [0.0001, 0.001, 0.01],
    });
    const linear = rangeValues('model.n_layer', { from: 1, to: 4, count: 4, scale: 'linear' });
    expect(linear).toEqual({ values: [1, 2, 3, 4] });
    expect(rangeValues(path, { from: 0, to: 1, count: 3, scale: 'log' })).toHaveProperty('problem');
    expect(rangeValues(path, { ...range, count: 9, scale: 'log' })).toHaveProperty('problem');
  });
});

it('metrics are read again if the worker is replaced meanwhile', async () => {
  const reading = client.library.loadHistories(['a']);
  client.restart();
  const asked = () => sent.flatMap((one) => (one.type === 'load_history' ? [one.id] : []));
  await vi.waitFor(() => expect(asked()).toHaveLength(2));
  const columns = { step: new Float64Array(0) };
  emit({ type: 'history', id: asked().at(-1) ?? 0, run: 'a', columns });
  await reading;
  expect(client.stores.library.getState()).toMatchObject({ problem: null });
  expect([...client.stores.library.getState().histories.keys()]).toEqual(['a']);
});

describe('the library of the page', () => {
  it('says what a run does', () => {
    const idle = { run: null, phase: 'idle' } as const;
    expect(runStatus(record(), idle)).toBe('paused');
    expect(runStatus(record({ step: 10 }), idle)).toBe('done');
    expect(runStatus(record({ locked: true }), idle)).toBe('elsewhere');
    expect(runStatus(record({ resumable: false, step: 0 }), idle)).toBe('not_saved');
    expect(runStatus(record({ locked: true }), { run: 'a', phase: 'training' })).toBe('here');
    expect(runStatus(record({ locked: true, step: 10 }), { run: 'a', phase: 'done' })).toBe('done');
  });

  it('offers the best checkpoint of a run that went on after it, and resumes from there', () => {
    const best = { step: 3, score: 2 };
    expect(hasEarlierBest(record())).toBe(false);
    expect(hasEarlierBest(record({ best: { ...best, step: 5 } }))).toBe(false);
    expect(hasEarlierBest(record({ best, resumable: false }))).toBe(false);
    const saved = record({ best });
    expect(hasEarlierBest(saved)).toBe(true);
    client.open();
    client.stores.library.setState({ runs: [saved] });
    client.resume('a', { weights: 'best' });
    expect(sent).toContainEqual({ type: 'resume', run: 'a', weights: 'best' });
  });

  it('starts a run again that was never saved, with its own text, and gives up its entry', () => {
    client.open();
    client.startAgain(record({ name: 'Mine', resumable: false }));
    const [command] = starts();
    expect(command).toMatchObject({ name: 'Mine', text_of: 'a' });
    expect(sent.some(({ type }) => type === 'delete_runs')).toBe(false);
    if (command) emit(started(command));
    expect(sent.at(-1)).toMatchObject({ type: 'delete_runs', runs: ['a'] });
  });

  it('shows a failed change beside the list, and not as an error of the run', async () => {
    client.open();
    client.library.duplicate('a', 'Copy');
    const command = sent.at(-1);
    const id = command?.type === 'duplicate_run' ? command.id : -1;
    emit({ type: 'error', id, error: { code: 'storage_full', message: 'It is full.', hint: '' } });
    await vi.waitFor(() =>
      expect(client.stores.library.getState().problem?.code).toBe('storage_full'),
    );
    expect(client.stores.run.getState().error).toBeNull();
  });

  it('says how far a backup is, what is not in it, and that it was cancelled', async () => {
    client.open();
    const packing = client.library.backUp(['a']);
    const command = sent.at(-1);
    const id = command?.type === 'back_up' ? command.id : -1;
    emit({ type: 'backup_progress', job: id, done: 5, total: 10 });
    const backup = () => client.stores.library.getState().backup;
    expect(backup()).toMatchObject({ progress: { done: 5, total: 10 } });
    client.library.cancelBackup();
    expect(sent.at(-1)).toEqual({ type: 'cancel_backup', job: id });
    emit({
      type: 'error',
      id,
      error: { code: 'cancelled', message: 'It was cancelled.', hint: 'Nothing was lost.' },
    });
    expect(await packing).toBeNull();
    expect(backup()).toMatchObject({ progress: null, failed: true });
    expect(client.stores.run.getState().error).toBeNull();
  });

  it('lists in which fields recipes differ, in words', () => {
    const base = defaultConfig();
    const changed = (lr: number): RunConfig => withField(base, 'training.learning_rate', lr);
    const other = withField(changed(0.1), 'model.n_layer', base.model.n_layer + 1);
    const differences = recipeDifferences([changed(0.1), changed(0.2), other]);
    expect(differences.map(({ path }) => fieldTitle(path))).toEqual(['Layers', 'Learning rate']);
    expect(
      differences[1]?.values.map((value) => valueText('training.learning_rate', value)),
    ).toEqual(['0.1', '0.2', '0.1']);
    expect(recipeDifferences([base, base])).toEqual([]);
  });
});
