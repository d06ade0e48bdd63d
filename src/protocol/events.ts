/** What the worker tells the page. An event with an `id` answers the command with that id. */
import type {
  Chart,
  DataSummary,
  FinishReason,
  GenerationEnd,
  BestCheckpoint,
  Lineage,
  Metric,
  MetricColumns,
  Sample,
  StorageUse,
  TokenPiece,
} from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { ModelEvent } from './models.ts';
import type { RankEvent } from './ranks.ts';
import type {
  ComparisonRow,
  Concern,
  DeletedRecord,
  DeviceInfo,
  PlainError,
  PrecisionInfo,
  ReleasedRun,
  RestoredRun,
  RunPhase,
  RunRecord,
  StartMark,
  StepProfile,
} from './types.ts';

/** A run is ready to train. */
export interface StartedEvent {
  type: 'started';
  run: string;
  name: string;
  config: RunConfig;
  step: number;
  /** Step of the newest checkpoint in storage; null if there is none. */
  saved_step: number | null;
  n_params: number;
  planned_bytes: number;
  precision: PrecisionInfo;
  /** Scales the learning rate schedule. */
  lr_multiplier: number;
  lineage: Lineage;
  /** Settings of a stage after pretraining; null for pretraining. */
  stage?: StageConfig | null;
  /** What the objective logs in addition to METRICS, and the charts that draw it. */
  metrics: readonly Metric[];
  charts: readonly Chart[];
  /** Metrics up to `step`; null for a run that starts at step 0. */
  history: MetricColumns | null;
  /** Samples, view, recipe and text of a run that was opened again. */
  restored?: RestoredRun | null;
  /** The best evaluation so far whose weights are kept. */
  best?: BestCheckpoint | null;
}

export type Event =
  | { type: 'device'; device: DeviceInfo }
  | { type: 'pong'; id: number }
  /** Measured in about a second; a fused multiply-add counts as two operations. */
  | { type: 'calibration'; flops_per_second: number; step_overhead_ms: number }
  /** `at`: milliseconds since 1970, so that page and worker use the same clock. */
  | { type: 'mark'; mark: StartMark; at: number }
  | { type: 'phase'; phase: RunPhase; detail: string; progress: number | null }
  | { type: 'data'; data: DataSummary }
  | StartedEvent
  /**
   * Metrics since the last flush; columns of one length, NaN where a metric was not measured at
   * that step.
   */
  | { type: 'metrics'; columns: MetricColumns }
  | { type: 'sample'; sample: Sample }
  /** An evaluation was the best so far, and its weights are kept. */
  | { type: 'best'; best: BestCheckpoint }
  | { type: 'token'; id: number; pieces: TokenPiece[] }
  | { type: 'generation_done'; id: number; reason: GenerationEnd }
  | { type: 'tokens'; id: number; pieces: { id: number; text: string }[] }
  /** Without an id: the run saved itself. */
  | { type: 'saved'; id?: number | undefined; run: string; step: number; bytes: number }
  /** `released` is null if there was no run, or nothing in it to keep. */
  | { type: 'released'; id: number; released: ReleasedRun | null }
  /** The files of an import are fine and the run before them, if any, is closed. */
  | { type: 'importing'; id: number; run: string; released: ReleasedRun | null }
  | { type: 'exported'; id: number; name: string; bytes: Uint8Array }
  | {
      type: 'runs';
      id?: number | undefined;
      runs: RunRecord[];
      /** Runs that were deleted and can be restored. */
      deleted: DeletedRecord[];
      storage: StorageUse;
      /** Sentences on what happened besides: runs that were left alone, files that were removed. */
      notes: string[];
    }
  /** `left_out`: one sentence for each run that is not in the file. */
  | { type: 'backup'; id: number; file: Blob; runs: number; left_out: string[] }
  /** `equal`: runs of the backup that are here already. */
  | { type: 'backup_restored'; id: number; added: number; equal: number; left_out: string[] }
  /** Bytes; `job` is the id of the command. */
  | { type: 'backup_progress'; job: number; done: number; total: number }
  | { type: 'history'; id: number; run: string; columns: MetricColumns }
  | { type: 'comparison'; id: number; row: ComparisonRow }
  /** `profile` is null if there is nothing to measure yet; `why` is then one sentence. */
  | { type: 'profile'; id: number; profile: StepProfile | null; why: string }
  | ModelEvent
  | RankEvent
  /** `run`: the run that it concerns, and beside which alone it is shown. */
  | { type: 'notice'; message: string; run?: string }
  /**
   * With an id: that command failed, and nothing else did. With `concerns`: the run trains on
   * without it, and the error holds until `resolved`.
   */
  | {
      type: 'error';
      id?: number | undefined;
      concerns?: Concern | undefined;
      error: PlainError;
    }
  /** What failed before has succeeded. */
  | { type: 'resolved'; concerns: Concern }
  | { type: 'finished'; step: number; reason: FinishReason };
