/** What the page takes back of a run that is opened again, and what it keeps with the run. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultConfig, withField } from '../config/index.ts';
import type {
  Command,
  Event,
  PagePort,
  RestoredRun,
  RunRecord,
  StartedEvent,
} from '../protocol/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { Client } from './client.ts';
import { dataKey, differsFromRun, setField, setText } from './form.ts';
import { sentence } from './sentence.ts';
import { createStores } from './stores.ts';

let client: Client;
let sent: Command[];
let emit: (event: Event) => void;

beforeEach(() => {
  sent = [];
  const spawn = (): PagePort => ({
    send: (command) => sent.push(command),
    close: () => undefined,
    onEvent: (listener) => {
      emit = listener;
    },
    onDeath: () => undefined,
  });
  client = new Client(createStores(), spawn);
  client.open();
  return () => client.stop();
});

const TEXT = { name: 'fox.txt', bytes: new TextEncoder().encode('the fox') };
const base = withField(defaultConfig(), 'data.corpus', 'own');
const config = withField(base, 'training.learning_rate', 0.01);
const sample = { step: 5, prompt: '', tokens: [], memorized: false };
const RESTORED: RestoredRun = {
  samples: [sample],
  view: { axis: 'tokens', zoom: [1, 2], logY: true, smoothing: 7, sampleStep: 5, prompt: 'the' },
  recipe: { preset: 'names', base, tokenizer_name: null },
  text: TEXT,
  tokenizer_json: null,
};

const record: RunRecord = {
  run: 'saved',
  name: 'Saved',
  created: 0,
  updated: 0,
  step: 5,
  max_iters: 10,
  val_loss: 2,
  last_val_loss: 2,
  n_params: 1,
  bytes: 1,
  config,
  locked: false,
  resumable: true,
  lineage: { objective: 'pretrain', parent: null, dataset: 'fox.txt' },
};

const started = (run: string, change: Partial<StartedEvent> = {}): StartedEvent => ({
  type: 'started',
  run,
  name: 'Saved',
  config,
  step: 5,
  saved_step: 5,
  n_params: 1,
  planned_bytes: 1,
  precision: { mixed_precision: 'no', subgroup_matrices: false, reason: null },
  lr_multiplier: 0.5,
  lineage: record.lineage,
  metrics: [],
  charts: [],
  history: null,
  restored: RESTORED,
  best: { step: 3, score: 1.5 },
  ...change,
});

const resume = (change: Partial<StartedEvent> = {}): void => {
  const storage = { used: 0, quota: null, persistent: false, available: true, budget: null };
  emit({ type: 'runs', runs: [record], deleted: [], storage, notes: [] });
  client.resume('saved');
  emit(started('saved', change));
};

const commands = <T extends Command['type']>(type: T) =>
  sent.filter((command): command is Extract<Command, { type: T }> => command.type === type);

describe('a run that is opened again', () => {
  it('brings back samples, view, prompt, recipe, text, rate and the best evaluation', () => {
    resume();
    const { samples, view, write, form, run } = client.stores;
    expect(samples.getState().samples).toEqual([sample]);
    expect(view.getState()).toMatchObject({
      axis: 'tokens',
      zoom: [1, 2],
      logY: true,
      smoothing: 7,
      sampleStep: 5,
    });
    expect(write.getState().prompt).toBe('the');
    expect(form.getState()).toMatchObject({ config, base, preset: 'names', text: TEXT });
    expect([...form.getState().changed]).toEqual(['training.learning_rate']);
    expect(form.getState().preparedKey).toBe(dataKey(config, { text: TEXT, tokenizerJson: null }));
    expect(run.getState()).toMatchObject({ lr_multiplier: 0.5, best: { step: 3, score: 1.5 } });
    expect(differsFromRun(form.getState(), run.getState().recipe)).toBe(false);
  });

  it('takes nothing of a view that is not valid', () => {
    const before = client.stores.view.getState();
    const view = { axis: 'weeks', zoom: [1], logY: 'yes', smoothing: -1, sampleStep: 'x', more: 1 };
    resume({ restored: { ...RESTORED, view } });
    expect(client.stores.view.getState()).toEqual(before);
  });

  it('leaves the form alone when the current run only moves or recovers', () => {
    resume();
    setField(client.stores.form, 'training.batch_size', 3);
    emit(started('saved', { restored: null }));
    client.resume('saved');
    emit(started('saved'));
    expect(client.stores.form.getState().config.training.batch_size).toBe(3);
  });
});

describe('the view of a run', () => {
  it('is sent to the worker a moment after it has changed, once', () => {
    vi.useFakeTimers();
    try {
      resume();
      vi.advanceTimersByTime(1000);
      expect(commands('set_view')).toEqual([]);
      client.stores.view.setState({ logX: true });
      client.stores.write.setState({ prompt: 'a fox' });
      vi.advanceTimersByTime(1000);
      expect(commands('set_view')).toMatchObject([
        { run: 'saved', view: { axis: 'tokens', logX: true, prompt: 'a fox' } },
      ]);
      client.stores.view.setState({ logX: true });
      vi.advanceTimersByTime(1000);
      expect(commands('set_view')).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the recipe of a run', () => {
  it('is sent when it starts, so that the form comes back with what was changed', () => {
    client.stores.form.setState({ base, preset: 'names' });
    client.start();
    expect(commands('start')).toMatchObject([{ recipe: { preset: 'names', base } }]);
  });

  it('differs from the form once a field, or the text, is changed; not by sampling or backend', () => {
    resume();
    const { form, run } = client.stores;
    const differs = () => differsFromRun(form.getState(), run.getState().recipe);
    setField(form, 'sampling.temperature', 0.5);
    setField(form, 'runtime.backend', 'cpu');
    expect(differs()).toBe(false);
    setField(form, 'training.learning_rate', 0.5);
    expect(differs()).toBe(true);
    setField(form, 'training.learning_rate', 0.01);
    expect(differs()).toBe(false);
    setText(form, { name: 'other.txt', bytes: new Uint8Array(3) });
    expect(differs()).toBe(true);
  });
});

describe('the best weights', () => {
  it('are exported and generated with by choice', () => {
    resume();
    void client.export('best').catch(() => undefined);
    client.generate('a', config.sampling, 'best');
    client.resume('saved', { weights: 'best' });
    expect(commands('export')).toMatchObject([{ what: 'best' }]);
    expect(commands('generate')).toMatchObject([{ weights: 'best' }]);
  });

  it('are named when the run stopped early', () => {
    const patient = withField(config, 'training.early_stopping_patience', 3);
    resume({ config: patient, step: 2600, best: { step: 2000, score: 1.26 } });
    emit({ type: 'finished', step: 2600, reason: 'early_stopping' });
    expect(sentence(client.stores.run.getState())).toBe(
      'Stopped early at step 2,600: no better validation loss for 3 evaluations. ' +
        'Best 1.26 at step 2,000.',
    );
  });

  it('are named by their reward after a stage that earns rewards', () => {
    const patient = withField(config, 'training.early_stopping_patience', 1);
    const stage = parseStage({ objective: 'grpo' });
    resume({ config: patient, stage, step: 90, best: { step: 60, score: -0.75 } });
    emit({ type: 'finished', step: 90, reason: 'early_stopping' });
    expect(sentence(client.stores.run.getState())).toBe(
      'Stopped early at step 90: no better reward for 1 evaluation. Best 0.75 at step 60.',
    );
  });
});
