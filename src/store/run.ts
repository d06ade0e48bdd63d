/**
 * What the page knows of the present run, as a reducer over the worker's events.
 *
 * Columns, samples and the library are kept elsewhere; here is what the bar, the recipe and the
 * messages show. Values that change with every flush (`step`, `loss`) are few, so that a component
 * subscribes to exactly what it draws.
 */
import type { RunConfig } from '../config/index.ts';
import type {
  DataSummary,
  DeviceInfo,
  Event,
  HeadlessStatus,
  MetricColumns,
  FinishReason,
  GenerationEnd,
  PlainError,
  PrecisionInfo,
  RunPhase,
  TokenPiece,
} from '../protocol/index.ts';

export interface Generation {
  id: number;
  prompt: string;
  pieces: TokenPiece[];
  running: boolean;
  reason: GenerationEnd | null;
}

export interface Calibration {
  flops_per_second: number;
  step_overhead_ms: number;
}

export interface RunState {
  connection: 'none' | 'alive' | 'silent' | 'dead';
  device: DeviceInfo | null;
  calibration: Calibration | null;
  phase: RunPhase;
  detail: string;
  progress: number | null;
  /**
   * A run was asked for and does not move yet: what is being prepared is more than the text for the
   * panel.
   */
  opening: boolean;
  data: DataSummary | null;
  /** The run in the worker, or null before the first. */
  run: string | null;
  name: string;
  /** As it was started: the form may have moved on since. */
  config: RunConfig | null;
  n_params: number;
  planned_bytes: number;
  precision: PrecisionInfo | null;
  step: number;
  firstStep: number;
  firstLoss: number;
  loss: number;
  /** Steps a second over the last flushes, for the time left. */
  rate: number;
  tokensPerSecond: number;
  seconds: number;
  tokens: number;
  savedStep: number | null;
  finished: FinishReason | null;
  error: PlainError | null;
  notices: { id: number; message: string }[];
  /**
   * When Train was pressed, milliseconds since 1970, and how long after that each moment of the
   * start came.
   */
  pressed: number;
  start: HeadlessStatus['start'];
  generation: Generation | null;
}

export const initialRun: RunState = {
  connection: 'none',
  device: null,
  calibration: null,
  phase: 'idle',
  detail: '',
  progress: null,
  opening: false,
  data: null,
  run: null,
  name: '',
  config: null,
  n_params: 0,
  planned_bytes: 0,
  precision: null,
  step: 0,
  firstStep: 0,
  firstLoss: NaN,
  loss: NaN,
  rate: NaN,
  tokensPerSecond: NaN,
  seconds: NaN,
  tokens: NaN,
  savedStep: null,
  finished: null,
  error: null,
  notices: [],
  pressed: NaN,
  start: {},
  generation: null,
};

/** A run is under way: its weights are in the worker's memory, or being made. */
export const isActive = (phase: RunPhase): boolean =>
  phase !== 'idle' && phase !== 'done' && phase !== 'failed';
/** The worker is taking steps, or doing what stands between two of them. */
export const isMoving = (phase: RunPhase): boolean =>
  ['training', 'evaluating', 'sampling', 'saving', 'recovering'].includes(phase);

const MAX_NOTICES = 4;
let noticeId = 0;
export const withNotice = (state: RunState, message: string): Pick<RunState, 'notices'> => {
  noticeId += 1;
  return { notices: [...state.notices, { id: noticeId, message }].slice(-MAX_NOTICES) };
};

/** The change that an event makes; an empty object where it is not this reducer's affair. */
export function reduceRun(state: RunState, event: Event): Partial<RunState> {
  switch (event.type) {
    case 'device':
      return { device: event.device };
    case 'calibration':
      return {
        calibration: {
          flops_per_second: event.flops_per_second,
          step_overhead_ms: event.step_overhead_ms,
        },
      };
    case 'phase':
      return reducePhase(state, event);
    case 'mark':
      return { start: { ...state.start, [event.mark]: event.at - state.pressed } };
    case 'data':
      return { data: event.data };
    case 'started':
      return {
        run: event.run,
        name: event.name,
        config: event.config,
        n_params: event.n_params,
        planned_bytes: event.planned_bytes,
        precision: event.precision,
        step: event.step,
        firstStep: event.step,
        finished: null,
        error: null,
        rate: NaN,
        ...latest(event.history),
        firstLoss: firstOf(event.history, 'train/loss'),
        savedStep: event.step > 0 ? event.step : null,
      };
    case 'metrics':
      return reduceMetrics(state, event.columns);
    case 'token':
      return state.generation?.id === event.id
        ? {
            generation: {
              ...state.generation,
              pieces: [...state.generation.pieces, ...event.pieces],
            },
          }
        : {};
    case 'generation_done':
      return state.generation?.id === event.id
        ? { generation: { ...state.generation, running: false, reason: event.reason } }
        : {};
    case 'saved':
      return event.run === state.run ? { savedStep: event.step } : {};
    case 'notice':
      return withNotice(state, event.message);
    case 'error':
      return { error: event.error, opening: false };
    case 'finished':
      return {
        phase: 'done',
        detail: '',
        progress: null,
        step: event.step,
        finished: event.reason,
      };
    case 'pong':
    case 'sample':
    case 'tokens':
    case 'exported':
    case 'runs':
    case 'history':
    case 'comparison':
    case 'profile':
      return {};
    default:
      return event satisfies never;
  }
}

/**
 * A failure stays on the page until something is tried again, not only until the worker is idle.
 */
function reducePhase(state: RunState, event: Extract<Event, { type: 'phase' }>): Partial<RunState> {
  // Idle is what a worker says that has read the text for the panel, while the run asked for waits
  // in its queue.
  const opening = state.opening && ['idle', 'preparing', 'compiling'].includes(event.phase);
  const next = { phase: event.phase, detail: event.detail, progress: event.progress, opening };
  const tryingAgain = ['preparing', 'compiling', 'training', 'recovering'].includes(event.phase);
  return state.error && tryingAgain ? { ...next, error: null } : next;
}

function reduceMetrics(state: RunState, columns: MetricColumns): Partial<RunState> {
  const change = latest(columns);
  const step = columns.step.at(-1) ?? state.step;
  const seconds = change.seconds ?? NaN;
  const taken = seconds - state.seconds;
  const fresh = taken > 0 ? (step - state.step) / taken : NaN;
  const rate =
    Number.isFinite(fresh) && fresh > 0
      ? Number.isFinite(state.rate)
        ? 0.9 * state.rate + 0.1 * fresh
        : fresh
      : state.rate;
  const firstLoss = Number.isFinite(state.firstLoss)
    ? state.firstLoss
    : firstOf(columns, 'train/loss');
  return { ...change, step, rate, firstLoss };
}

/** The newest measured values that the bar shows. */
function latest(columns: MetricColumns | null): Partial<RunState> {
  const change: Partial<RunState> = {};
  if (!columns) return change;
  const take = (name: string, set: (value: number) => void): void => {
    const value = columns[name]?.findLast((candidate) => Number.isFinite(candidate));
    if (value !== undefined) set(value);
  };
  take('train/loss', (value) => {
    change.loss = value;
  });
  take('train/tok_per_sec', (value) => {
    change.tokensPerSecond = value;
  });
  take('seconds', (value) => {
    change.seconds = value;
  });
  take('tokens', (value) => {
    change.tokens = value;
  });
  return change;
}

const firstOf = (columns: MetricColumns | null, name: string): number =>
  columns?.[name]?.find((value) => Number.isFinite(value)) ?? NaN;
