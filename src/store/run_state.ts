/**
 * What the page knows about the current run. Metrics, samples and the library have stores of their
 * own; this is what the bar, the recipe and the messages show. Few values change with every flush
 * (`step`, `loss`), so that a component re-renders only for what it draws.
 */
import { CHARTS, METRICS, type Chart, type Metric } from '../common/index.ts';
import type { BackendName, RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type {
  BestCheckpoint,
  Concern,
  DataSummary,
  DeviceInfo,
  FinishReason,
  GenerationEnd,
  HeadlessStatus,
  Lineage,
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
  /** Why it failed; null otherwise. */
  error: PlainError | null;
}

export interface Calibration {
  flops_per_second: number;
  step_overhead_ms: number;
  /** Where it was measured; it says nothing about another backend. */
  backend: BackendName;
}

/** The form's recipe of a run, as it was when the run was requested. */
export interface RecipeOfRun {
  config: RunConfig;
  /** What its changes are measured against: the preset, or the defaults. */
  base: RunConfig;
  preset: string | null;
  dataKey: string | null;
}

/** How far the worker has read a text for the data panel. */
export interface TextProgress {
  detail: string;
  /** Between 0 and 1, or null if unknown. */
  progress: number | null;
}

export interface RunState {
  connection: 'none' | 'alive' | 'silent' | 'dead';
  device: DeviceInfo | null;
  calibration: Calibration | null;
  phase: RunPhase;
  detail: string;
  progress: number | null;
  /** A run was requested and is not ready yet, so more than the text is being prepared. */
  opening: boolean;
  data: DataSummary | null;
  /** The next text, while it is read after a run has ended; `phase` keeps the outcome of the run. */
  readingText: TextProgress | null;
  /** The run in the worker, or null before the first. */
  run: string | null;
  name: string;
  /** As the run was started; the form may have changed since. */
  config: RunConfig | null;
  lineage: Lineage | null;
  /** Settings of a stage after pretraining; null for pretraining. */
  stage: StageConfig | null;
  /** The form's recipe that the run belongs to: a form that differs is a recipe of another run. */
  recipe: RecipeOfRun | null;
  /** Metrics and charts of the run: those of every run, then the objective's own. */
  metrics: readonly Metric[];
  charts: readonly Chart[];
  /** Scales the learning rate schedule; 1 follows it. */
  lr_multiplier: number;
  n_params: number;
  planned_bytes: number;
  precision: PrecisionInfo | null;
  step: number;
  firstStep: number;
  firstLoss: number;
  loss: number;
  /** Steps per second over the last flushes, for the time left. */
  rate: number;
  tokensPerSecond: number;
  seconds: number;
  tokens: number;
  savedStep: number | null;
  /** The best evaluation whose weights are kept. */
  best: BestCheckpoint | null;
  finished: FinishReason | null;
  /** Why the run, or what was to become one, failed. */
  error: PlainError | null;
  /** The last error that refused a request, such as an import: reading a text does not outdate it. */
  refused: PlainError | null;
  /** What fails while the run trains on, each until it succeeds. */
  troubles: Partial<Record<Concern, PlainError>>;
  notices: { id: number; message: string; run?: string | undefined }[];
  /** When Train was pressed, milliseconds since 1970. */
  pressed: number;
  /** Milliseconds from then to each stage of the start. */
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
  readingText: null,
  run: null,
  name: '',
  config: null,
  lineage: null,
  stage: null,
  recipe: null,
  metrics: METRICS,
  charts: CHARTS,
  lr_multiplier: 1,
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
  best: null,
  finished: null,
  error: null,
  refused: null,
  troubles: {},
  notices: [],
  pressed: NaN,
  start: {},
  generation: null,
};

/** The best weights are kept, and they are not the last ones. */
export const hasOtherBest = ({ best, step }: RunState): boolean =>
  best !== null && best.step < step;

/** The worker holds a run, or is preparing one. */
export const isActive = (phase: RunPhase): boolean =>
  phase !== 'idle' && phase !== 'done' && phase !== 'failed';
/** The run in the worker trains, is paused, or will go on; false while only a text is read. */
export const hasLiveRun = ({ phase, run }: Pick<RunState, 'phase' | 'run'>): boolean =>
  run !== null && isActive(phase);
/** The worker trains, or does what comes between two steps. */
export const isMoving = (phase: RunPhase): boolean =>
  ['training', 'evaluating', 'sampling', 'saving', 'recovering'].includes(phase);
