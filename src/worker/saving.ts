/** What a run keeps in storage: checkpoints and metrics. */
import type { CheckpointState } from '../checkpoint/index.ts';
import type { MetricColumns } from '../common/index.ts';
import type { RunParts } from './run_parts.ts';
import type { RunTrainer } from './services.ts';

/** Metrics are written this often, and with every checkpoint. */
const METRICS_MS = 5000;

/** Progress that the training loop counts and a checkpoint keeps. */
export interface Progress {
  seconds: number;
  best_val_loss: number | null;
}

export class RunSaver {
  /** Storage has a checkpoint of this run. */
  hasCheckpoint: boolean;
  readonly #parts: RunParts;
  readonly #trainer: RunTrainer;
  readonly #progress: Progress;
  #unsaved: MetricColumns[] = [];
  #metricsSavedAt = performance.now();

  constructor(parts: RunParts, trainer: RunTrainer, progress: Progress, hasCheckpoint: boolean) {
    this.#parts = parts;
    this.#trainer = trainer;
    this.#progress = progress;
    this.hasCheckpoint = hasCheckpoint;
  }

  /** The whole state after all submitted steps, as a checkpoint keeps it. */
  async checkpoint(): Promise<CheckpointState> {
    const { parameters, optimizer, step, tokens, loss_scale } = await this.#trainer.state();
    return {
      config: this.#trainer.config,
      model: this.#trainer.model,
      parameters,
      optimizer,
      step,
      tokens,
      elapsed_seconds: this.#progress.seconds,
      tokenizer: this.#parts.text.tokenizer,
      best_val_loss: this.#progress.best_val_loss,
      loss_scale,
    };
  }

  /**
   * Writes metrics and a checkpoint. Throws CheckpointError where storage refuses; the previous
   * checkpoint is then kept.
   */
  async save(): Promise<{ step: number; bytes: number }> {
    await this.writeMetrics();
    const state = await this.checkpoint();
    const bytes = await this.#parts.storage.save(state);
    this.hasCheckpoint = true;
    return { step: state.step, bytes };
  }

  /** Keeps a copy of the columns for the next write. */
  addMetrics(columns: MetricColumns): void {
    this.#unsaved.push(copyColumns(columns));
  }

  get metricsAreDue(): boolean {
    return performance.now() - this.#metricsSavedAt > METRICS_MS;
  }

  async writeMetrics(): Promise<void> {
    this.#metricsSavedAt = performance.now();
    const parts = this.#unsaved;
    this.#unsaved = [];
    for (const columns of parts) await this.#parts.storage.appendMetrics(columns);
  }

  /** All metrics of the run so far. */
  async metrics(): Promise<MetricColumns> {
    await this.writeMetrics();
    return this.#parts.storage.readMetrics();
  }

  async close(): Promise<void> {
    try {
      await this.writeMetrics();
    } finally {
      await this.#parts.storage.close();
    }
  }
}

function copyColumns(columns: MetricColumns): MetricColumns {
  const copy: MetricColumns = { step: columns.step.slice() };
  for (const [name, values] of Object.entries(columns)) copy[name] = values.slice();
  return copy;
}
