/** What a run keeps in storage: checkpoints and metrics. */
import type { CheckpointState } from '../checkpoint/index.ts';
import type { MetricColumns } from '../common/index.ts';
import type { RunParts, RunStart, StartingPoint } from './run_parts.ts';
import type { RunTrainer } from './services.ts';

/** Metrics are written this often, and with every checkpoint. */
const METRICS_MS = 5000;

/** Progress that the training loop counts and a checkpoint keeps. */
export interface Progress {
  seconds: number;
  best_val_loss: number | null;
}

export class RunSaver {
  readonly #parts: RunParts;
  readonly #trainer: RunTrainer;
  readonly #progress: Progress;
  #hasCheckpoint: boolean;
  #origin: StartingPoint | null;
  #metricsWrittenAt = performance.now();

  constructor(
    parts: RunParts,
    trainer: RunTrainer,
    progress: Progress,
    { from, stored }: Pick<RunStart, 'from' | 'stored'>,
  ) {
    this.#parts = parts;
    this.#trainer = trainer;
    this.#progress = progress;
    this.#hasCheckpoint = stored;
    this.#origin = stored ? null : from;
  }

  /** Storage has a checkpoint of this run. */
  get hasCheckpoint(): boolean {
    return this.#hasCheckpoint;
  }

  /** What the run started from, while storage has no checkpoint to recover from instead. */
  get origin(): StartingPoint | null {
    return this.#origin;
  }

  /** The whole state after all submitted steps, as a checkpoint keeps it. */
  async checkpoint(): Promise<CheckpointState> {
    const { lineage, text, settled } = this.#parts;
    return {
      ...(await this.#trainer.state()),
      config: settled.config,
      model: this.#trainer.model,
      elapsed_seconds: this.#progress.seconds,
      tokenizer: text.tokenizer,
      best_val_loss: this.#progress.best_val_loss,
      lineage,
    };
  }

  /**
   * Writes metrics and a checkpoint. Throws CheckpointError if storage refuses; the previous
   * checkpoint is then kept.
   */
  async save(): Promise<{ step: number; bytes: number }> {
    await this.writeMetrics();
    const state = await this.checkpoint();
    const bytes = await this.#parts.storage.save(state);
    this.#hasCheckpoint = true;
    this.#origin = null;
    return { step: state.step, bytes };
  }

  /** Adds rows to the metrics, which are written when they are due. */
  addMetrics(columns: MetricColumns): void {
    this.#parts.storage.metrics.add(columns);
  }

  get metricsAreDue(): boolean {
    return performance.now() - this.#metricsWrittenAt > METRICS_MS;
  }

  /** Rejects if storage refuses; the rows are then written the next time. */
  writeMetrics(): Promise<void> {
    this.#metricsWrittenAt = performance.now();
    return this.#parts.storage.metrics.flush();
  }

  /** All metrics of the run so far. */
  metrics(): Promise<MetricColumns> {
    return this.#parts.storage.readMetrics();
  }

  /** Writes the metrics, as far as storage allows, and gives the run back. */
  close(): Promise<void> {
    return this.#parts.storage.close();
  }
}
