/** How the worker's events change what the page knows about the current run. */
import { chartsWith, metricsWith } from '../common/index.ts';
import { isModelEvent, isRankEvent } from '../protocol/index.ts';
import type { DeviceInfo, Event, MetricColumns, PlainError, RunPhase } from '../protocol/index.ts';
import { withNotice, withoutTroubles } from './run_changes.ts';
import { isActive, isMoving, type Generation, type RunState } from './run_state.ts';

export * from './run_changes.ts';
export * from './run_state.ts';

/** The change that an event makes; empty for events that concern other stores. */
export function reduceRun(state: RunState, event: Event): Partial<RunState> {
  if (isModelEvent(event) || isRankEvent(event)) return {};
  switch (event.type) {
    case 'device':
      return reduceDevice(state, event.device);
    case 'calibration':
      return reduceCalibration(state, event);
    case 'phase':
      return reducePhase(state, event);
    case 'mark':
      return { start: { ...state.start, [event.mark]: event.at - state.pressed } };
    case 'data':
      return { data: event.data };
    case 'started':
      return reduceStarted(event);
    case 'metrics':
      return reduceMetrics(state, event.columns);
    case 'token':
      return changeGeneration(state, event.id, ({ pieces }) => ({
        pieces: [...pieces, ...event.pieces],
      }));
    case 'generation_done':
      return changeGeneration(state, event.id, () => ({ running: false, reason: event.reason }));
    case 'best':
      return { best: event.best };
    case 'saved':
      return event.run === state.run ? reduceSaved(state, event.step) : {};
    case 'notice':
      return withNotice(state, event.message, event.run);
    case 'error':
      return reduceError(state, event);
    case 'resolved':
      return withoutTroubles(state, event.concerns);
    case 'finished': {
      const { step, reason: finished } = event;
      return { phase: 'done', detail: '', progress: null, step, finished };
    }
    case 'pong':
    case 'sample':
    case 'tokens':
    case 'released':
    case 'importing':
    case 'exported':
    case 'runs':
    case 'backup':
    case 'backup_restored':
    case 'backup_progress':
    case 'history':
    case 'comparison':
    case 'profile':
      return {};
    default:
      return event satisfies never;
  }
}

/** Each error has a place of its own: beside the generation, with what it concerns, or the run's. */
function reduceError(
  state: RunState,
  { id, concerns, error }: Extract<Event, { type: 'error' }>,
): Partial<RunState> {
  if (concerns) return { troubles: { ...state.troubles, [concerns]: error } };
  const failed = { running: false, reason: 'cancelled', error } as const;
  const change = changeGeneration(state, id, () => failed);
  return change.generation ? change : { error, opening: false };
}

/** A calibration of another backend is outdated. */
function reduceDevice({ calibration, error }: RunState, device: DeviceInfo): Partial<RunState> {
  const isCurrent = calibration?.backend === device.backend;
  return {
    device,
    calibration: isCurrent ? calibration : null,
    error: isDeviceError(error) ? null : error,
  };
}

function reduceCalibration(
  { device }: RunState,
  { flops_per_second, step_overhead_ms }: Extract<Event, { type: 'calibration' }>,
): Partial<RunState> {
  if (!device) return {};
  return { calibration: { flops_per_second, step_overhead_ms, backend: device.backend } };
}

function reduceStarted(event: Extract<Event, { type: 'started' }>): Partial<RunState> {
  const { run, name, config, lineage, lr_multiplier, step, history } = event;
  const { n_params, planned_bytes, precision } = event;
  return {
    ...{ run, name, config, lineage, lr_multiplier, step },
    ...{ n_params, planned_bytes, precision },
    metrics: metricsWith(event.metrics),
    charts: chartsWith(event.charts),
    firstStep: step,
    best: event.best ?? null,
    stage: event.stage ?? null,
    finished: null,
    error: null,
    rate: NaN,
    ...latest(history),
    firstLoss: firstOf(history, 'train/loss'),
    savedStep: event.saved_step,
  };
}

/** A save that succeeds outdates the error of one that storage refused. It writes the metrics too. */
function reduceSaved(state: RunState, savedStep: number): Partial<RunState> {
  const saved = { savedStep, ...withoutTroubles(state, 'save', 'metrics') };
  return state.error && isStorageError(state.error) ? { ...saved, error: null } : saved;
}

/** The change of the generation with this id; none if it is not the current one. */
function changeGeneration(
  { generation }: RunState,
  id: number | undefined,
  change: (generation: Generation) => Partial<Generation>,
): Partial<RunState> {
  if (!generation || generation.id !== id) return {};
  return { generation: { ...generation, ...change(generation) } };
}

/** An error stays on the page until something is tried again, even if the worker becomes idle. */
function reducePhase(state: RunState, event: Extract<Event, { type: 'phase' }>): Partial<RunState> {
  const { detail, progress } = event;
  if (state.run !== null && !state.opening && !isActive(state.phase)) {
    // The run has ended, and the worker only reads a text: the page still shows how the run ended.
    if (event.phase === 'preparing') return { readingText: { detail, progress } };
    if (event.phase === 'idle') return { readingText: null };
  }
  // A worker that has prepared the text for the panel says idle while the run waits in its queue.
  const opening = state.opening && ['idle', 'preparing', 'compiling'].includes(event.phase);
  const next = { phase: event.phase, detail, progress, opening, readingText: null };
  return state.error && outdates(event, state) ? { ...next, error: null } : next;
}

/** Whether the error holds although a text is read, which needs no device and answers no request. */
export const staysWhileReading = ({
  error,
  refused,
}: Pick<RunState, 'error' | 'refused'>): boolean =>
  isDeviceError(error) || (error !== null && error === refused);

/** Whether the phase means that what failed is tried again. */
function outdates(event: { phase: RunPhase }, state: RunState): boolean {
  const { phase } = event;
  if (phase === 'preparing' && staysWhileReading(state) && !state.opening) return false;
  // A run that trains on tries nothing again: the error is of a file that was opened meanwhile, say.
  if (phase === 'training') return !isMoving(state.phase);
  return ['preparing', 'compiling', 'recovering'].includes(phase);
}

/** No backend could be started; it holds until one is. */
export const isDeviceError = (error: PlainError | null): boolean => error?.code === 'no_backend';

const isStorageError = ({ code }: PlainError): boolean => code.startsWith('storage_');

function reduceMetrics(state: RunState, columns: MetricColumns): Partial<RunState> {
  const change = latest(columns);
  const step = columns.step.at(-1) ?? state.step;
  const seconds = (change.seconds ?? NaN) - state.seconds;
  const rate = smoothedRate(state.rate, seconds > 0 ? (step - state.step) / seconds : NaN);
  const firstLoss = Number.isFinite(state.firstLoss)
    ? state.firstLoss
    : firstOf(columns, 'train/loss');
  return { ...change, step, rate, firstLoss };
}

/** Exponential moving average; a measurement that is not positive changes nothing. */
function smoothedRate(average: number, measured: number): number {
  if (!(Number.isFinite(measured) && measured > 0)) return average;
  return Number.isFinite(average) ? 0.9 * average + 0.1 * measured : measured;
}

/** Where each value that the bar shows comes from. */
const SHOWN = [
  ['train/loss', 'loss'],
  ['train/tok_per_sec', 'tokensPerSecond'],
  ['seconds', 'seconds'],
  ['tokens', 'tokens'],
] as const;

/** The newest measured values that the bar shows. */
function latest(columns: MetricColumns | null): Partial<RunState> {
  const change: Partial<RunState> = {};
  for (const [name, key] of SHOWN) {
    const value = columns?.[name]?.findLast((candidate) => Number.isFinite(candidate));
    if (value !== undefined) change[key] = value;
  }
  return change;
}

const firstOf = (columns: MetricColumns | null, name: string): number =>
  columns?.[name]?.find((value) => Number.isFinite(value)) ?? NaN;
