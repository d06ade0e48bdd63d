import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import type { Event, MetricColumns, StartedEvent } from '../protocol/index.ts';
import { bytes, clock, compact, lossText, measure, spokenDuration } from './format.ts';
import {
  hasLiveRun,
  initialRun,
  openingRun,
  reduceRun,
  withoutError,
  withoutWorker,
  type RunState,
} from './run.ts';
import { secondsLeft, sentence } from './sentence.ts';

const config = { ...defaultConfig(), training: { ...defaultConfig().training, max_iters: 5000 } };
const started: StartedEvent = {
  type: 'started',
  run: 'r',
  name: 'Names',
  config,
  step: 0,
  saved_step: null,
  n_params: 1,
  planned_bytes: 2,
  precision: { mixed_precision: 'no', subgroup_matrices: false, reason: null },
  lr_multiplier: 1,
  lineage: { objective: 'pretrain', parent: null, dataset: 'Names' },
  metrics: [],
  charts: [],
  history: null,
};
const columns = (step: number, loss: number, seconds: number): MetricColumns => ({
  step: Float64Array.of(step),
  'train/loss': Float64Array.of(loss),
  seconds: Float64Array.of(seconds),
  tokens: Float64Array.of(step * 100),
  'train/tok_per_sec': Float64Array.of(3300),
});
const after = (...events: Event[]): RunState =>
  events.reduce<RunState>((state, event) => ({ ...state, ...reduceRun(state, event) }), initialRun);
const training: Event = { type: 'phase', phase: 'training', detail: '', progress: null };

describe('sentence', () => {
  it('draws what the objective brings in place of the general chart with the same id', () => {
    const chart = { id: 'loss', title: 'Loss of pairs', unit: 'nats', format: 'loss' } as const;
    const own = { id: 'margin', title: 'Margin', unit: '', format: 'number' } as const;
    const { charts } = after({ ...started, charts: [chart, own] });
    expect(charts.filter(({ id }) => id === 'loss')).toEqual([chart]);
    expect([charts[0], charts.at(-1)]).toEqual([chart, own]);
  });
  it('says step, loss, where it came from, and how long it takes', () => {
    const state = after(
      started,
      training,
      { type: 'metrics', columns: columns(1, 4.17, 1) },
      { type: 'metrics', columns: columns(340, 1.92, 11.17) },
    );
    expect(sentence(state)).toBe('Step 340 of 5,000. Loss 1.92, from 4.17. About 2 minutes left.');
  });
  it('names the phase', () => {
    const state = after(started, training, { type: 'metrics', columns: columns(340, 1.92, 10) });
    expect(sentence({ ...state, phase: 'paused' })).toMatch(/^Paused\. Step 340/);
    expect(
      sentence(after(started, { type: 'finished', step: 340, reason: 'max_seconds' })),
    ).toMatch(/^Done: the time is up\./);
    expect(sentence({ ...state, connection: 'dead' })).toContain('What was saved is safe');
    expect(sentence(initialRun)).toBe('Nothing is training yet.');
    expect(sentence({ ...initialRun, phase: 'preparing', detail: 'Training the tokenizer' })).toBe(
      'Training the tokenizer.',
    );
  });
  it('keeps the outcome of a run while the text of another preset is read', () => {
    const metrics: Event = { type: 'metrics', columns: columns(340, 1.92, 10) };
    const finished: Event = { type: 'finished', step: 340, reason: 'stopped' };
    const reading: Event = {
      type: 'phase',
      phase: 'preparing',
      detail: 'Training the tokenizer',
      progress: 0.5,
    };
    const idle: Event = { type: 'phase', phase: 'idle', detail: '', progress: null };
    const outcome = 'Stopped. Step 340 of 5,000. Loss 1.92, from 1.92.';
    const during = after(started, training, metrics, finished, reading);
    expect([sentence(during), during.phase]).toEqual([outcome, 'done']);
    expect(during.readingText).toEqual({ detail: 'Training the tokenizer', progress: 0.5 });
    expect(hasLiveRun(during)).toBe(false);
    const later = after(started, training, metrics, finished, reading, idle);
    expect([sentence(later), later.readingText]).toEqual([outcome, null]);
    expect(sentence({ ...later, ...withoutWorker(later) })).toBe(outcome);
  });
  it('keeps the outcome of a run that failed when its error is dismissed', () => {
    const failed: Event = { type: 'phase', phase: 'failed', detail: '', progress: null };
    const state = after(started, training, failed);
    expect(sentence({ ...state, ...withoutError(state) })).toBe(
      'Training stopped. Step 0 of 5,000.',
    );
    const before = after(failed);
    expect(sentence(before)).toBe('Nothing is training.');
    expect(sentence({ ...before, ...withoutError(before) })).toBe('Nothing is training yet.');
  });
  it('reads the text of a run that was asked for as a part of that run', () => {
    const ended = after(started, { type: 'finished', step: 5000, reason: 'max_iters' });
    const asked: RunState = { ...ended, ...openingRun('Opening the checkpoint') };
    const change = reduceRun(asked, {
      type: 'phase',
      phase: 'preparing',
      detail: 'Reading',
      progress: null,
    });
    expect(sentence({ ...asked, ...change })).toBe('Reading.');
  });
  it('leaves out a time that is not known', () => {
    expect(sentence(after(started, training))).toBe('Step 0 of 5,000.');
  });
});

describe('secondsLeft', () => {
  it('ends with the first of steps, tokens and seconds', () => {
    const state = after(
      started,
      { type: 'metrics', columns: columns(1, 4, 1) },
      { type: 'metrics', columns: columns(101, 3, 2) },
    );
    expect(secondsLeft(state)).toBeCloseTo(48.99, 6);
    const limited = {
      ...state,
      config: { ...config, training: { ...config.training, max_seconds: 12 } },
    };
    expect(secondsLeft(limited)).toBe(10);
  });
});

describe('reduceRun', () => {
  it('keeps a failure on the page until something is tried again', () => {
    const error = { code: 'x', message: 'm', hint: 'h' };
    const failed = after(
      started,
      { type: 'error', error },
      { type: 'phase', phase: 'failed', detail: '', progress: null },
    );
    expect(failed.error).toEqual(error);
    expect(
      after(
        started,
        { type: 'error', error },
        { type: 'phase', phase: 'idle', detail: '', progress: null },
      ).error,
    ).toEqual(error);
    expect({ ...failed, ...reduceRun(failed, training) }.error).toBeNull();
  });

  it('keep the error of a save while the run trains on, until a save succeeds', () => {
    const error = { code: 'storage_full', message: 'm', hint: 'h' };
    const phase = (name: 'saving' | 'training'): Event => ({
      type: 'phase',
      phase: name,
      detail: '',
      progress: null,
    });
    const refused = after(
      started,
      training,
      phase('saving'),
      { type: 'error', error },
      phase('training'),
    );
    expect(refused.error).toEqual(error);
    const saved: Event = { type: 'saved', run: 'r', step: 5, bytes: 1 };
    expect(reduceRun(refused, saved)).toEqual({ savedStep: 5, error: null });
  });
  it('keep the error of a device that did not open while the text is read, until one opens', () => {
    const error = { code: 'no_backend', message: 'No backend.', hint: 'Reload.' };
    const reading: Event = { type: 'phase', phase: 'preparing', detail: '', progress: null };
    const failed = after({ type: 'error', error }, reading);
    expect(failed.error).toEqual(error);
    const device = {
      backend: 'wasm',
      reason: '',
      adapter: '',
      limits: { max_buffer_size: 1, max_binding_size: 1, workgroup_storage: 0 },
      features: [],
    } as const;
    const opened: Event = { type: 'device', device: { ...device, features: [] } };
    expect(after({ type: 'error', error }, reading, opened).error).toBeNull();
  });

  it('collects the tokens of its own generation alone', () => {
    const state: RunState = {
      ...initialRun,
      generation: { id: 3, prompt: '', pieces: [], running: true, reason: null, error: null },
    };
    const piece = { id: 1, text: 'a', probability: 0.5, rivals: [] };
    expect(reduceRun(state, { type: 'token', id: 2, pieces: [piece] })).toEqual({});
    expect(
      reduceRun(state, { type: 'token', id: 3, pieces: [piece, piece] }).generation?.pieces,
    ).toEqual([piece, piece]);
  });
  it('takes first and last loss from the history of a resumed run', () => {
    const history = { step: Float64Array.of(1, 2), 'train/loss': Float64Array.of(4, 3) };
    const state = after({ ...started, step: 2, saved_step: 2, history });
    expect([state.firstLoss, state.loss, state.step, state.savedStep]).toEqual([4, 3, 2, 2]);
  });
  it('keeps which run a notice concerns, if any', () => {
    const { notices } = after(
      { type: 'notice', message: 'Learns nothing.', run: 'r' },
      { type: 'notice', message: 'A run was deleted.' },
    );
    expect(notices.map(({ message, run }) => [message, run])).toEqual([
      ['Learns nothing.', 'r'],
      ['A run was deleted.', undefined],
    ]);
  });
});

describe('format', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_310_000, '1.31 MB'],
    [34_500, '34.5 kB'],
    [2e9, '2.00 GB'],
  ])('%d bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });
  it.each([
    [950, '950'],
    [12_345, '12.3k'],
    [124_439_808, '124M'],
    [NaN, '–'],
  ])('%d is %s', (value, text) => {
    expect(compact(value)).toBe(text);
  });
  it.each([
    [5, 'a few seconds'],
    [33, 'about 35 seconds'],
    [70, 'about a minute'],
    [125, 'about 2 minutes'],
    [4000, 'about an hour'],
    [80_000, 'about 22 hours'],
    [213 * 86_400, 'more than a day'],
  ])('%d s is %s', (value, text) => {
    expect(spokenDuration(value)).toBe(text);
  });
  it('keeps two decimals of a loss', () => {
    expect([1.9, 0.0432, NaN].map(lossText)).toEqual(['1.90', '0.043', '–']);
  });
  it('measures about three digits', () => {
    expect([0.0035, 0.00012, 0.0000012, 12.34, 250].map(measure)).toEqual([
      '0.0035',
      '0.00012',
      '1.2e−6',
      '12.3',
      '250',
    ]);
  });
  it('reads as a clock', () => {
    expect([42, 725, 12_000].map(clock)).toEqual(['0:42', '12:05', '3:20:00']);
  });
});
