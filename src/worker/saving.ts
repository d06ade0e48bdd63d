/** What a run keeps in storage: checkpoints, metrics and samples. */
import type { CheckpointState } from '../checkpoint/index.ts';
import type { MetricColumns, Sample } from '../common/index.ts';
import { savedStage } from '../config/stage/saved.ts';
import { breathe } from '../train/index.ts';
import type { BestKeeper } from './best.ts';
import { checkWeights } from './check_weights.ts';
import type { RunParts, RunStart, StartingPoint } from './run_parts.ts';
import type { RunTrainer } from './services.ts';

/** Metrics are written this often, and with every checkpoint. */
const METRICS_MS = 5000;

/** Progress that the training loop counts and a checkpoint keeps. */
export interface Progress {
  seconds: number;
  best_val_loss: number | null;
  /** Step of the last save that succeeded; the training loop reads it. */
  saved_step: number | undefined;
  /** Evaluations since the last one that counted as better, for early stopping. */
  stale_evaluations: number;
  /** The step of the newest samples; -1 without any. */
  sampled_step: number;
}

export class RunSaver {
  readonly #parts: RunParts;
  readonly #trainer: RunTrainer;
  readonly #progress: Progress;
  readonly #best: BestKeeper;
  readonly #startsRandom: boolean;
  /** Step of the checkpoint in storage. */
  #savedStep: number | null;
  #stopped: Error | null = null;
  #origin: StartingPoint | null;
  #metricsWrittenAt = performance.now();

  constructor(
    parts: RunParts,
    { trainer, progress, best }: { trainer: RunTrainer; progress: Progress; best: BestKeeper },
    { from, stored }: Pick<RunStart, 'from' | 'stored'>,
  ) {
    this.#parts = parts;
    this.#trainer = trainer;
    this.#progress = progress;
    this.#best = best;
    this.#startsRandom = from === null;
    this.#savedStep = stored ? trainer.step : null;
    this.#origin = stored ? null : from;
  }

  /** Step of the newest checkpoint of this run in storage; null if there is none. */
  get savedStep(): number | null {
    return this.#savedStep;
  }

  /** Steps, or weights that were brought, are in no checkpoint. */
  get isBehind(): boolean {
    if (this.#savedStep === null) return this.#trainer.step > 0 || this.#origin !== null;
    return this.#trainer.step > this.#savedStep;
  }

  /** From now on, every save rejects with `error`: the device no longer has the weights. */
  stop(error: Error): void {
    this.#stopped = error;
  }

  /** What the run started from, while storage has no checkpoint to recover from instead. */
  get origin(): StartingPoint | null {
    return this.#origin;
  }

  /** The whole state after all submitted steps, as a checkpoint keeps it. */
  async checkpoint(moments = true): Promise<CheckpointState> {
    const { lineage, text, settled } = this.#parts;
    const { stale_evaluations } = this.#progress;
    const state = await this.#trainer.state({ moments });
    // The browser reports the loss of a device in a task of its own.
    await breathe();
    if (this.#stopped) throw this.#stopped;
    checkWeights(state);
    return {
      ...state,
      schedule: stale_evaluations > 0 ? { stale_evaluations } : {},
      config: settled.config,
      model: this.#trainer.model,
      elapsed_seconds: this.#progress.seconds,
      tokenizer: text.tokenizer,
      best_val_loss: this.#progress.best_val_loss,
      lineage,
      stage: text.stage ? { ...savedStage(text.stage.config) } : null,
      chat_template: text.stage?.data.chat.chat_template ?? null,
      pad_token_id: text.stage?.data.chat.pad_token_id ?? null,
      bos_token_id: text.stage?.data.chat.bos_token_id,
    };
  }

  /** The weights were just evaluated with the best score so far. Random ones are not worth keeping. */
  async noteBest(score: number): Promise<void> {
    if (this.#trainer.step === 0 && this.#startsRandom) return;
    this.#best.note(score, await this.checkpoint(this.#best.keepsMoments));
  }

  /**
   * Writes metrics, samples and a checkpoint. Throws CheckpointError if storage refuses; the
   * previous checkpoint is then kept. The best checkpoint comes first: written after this one, it
   * would be lost if the tab closed in between, as nothing evaluates its weights again.
   */
  async save(): Promise<{ step: number; bytes: number }> {
    await this.#parts.storage.ensureStored();
    await this.writeMetrics();
    await this.#best.store();
    const state = await this.checkpoint();
    const bytes = await this.#parts.storage.save(state);
    this.#savedStep = state.step;
    this.#progress.saved_step = state.step;
    this.#origin = null;
    return { step: state.step, bytes };
  }

  /** Adds rows, and answers that were sampled meanwhile; both are written when they are due. */
  addMetrics(columns: MetricColumns): void {
    const { metrics, record } = this.#parts.storage;
    metrics.add(columns);
    record.rollouts.add(this.#trainer.takeRollouts());
  }

  get metricsAreDue(): boolean {
    return performance.now() - this.#metricsWrittenAt > METRICS_MS;
  }

  addSample(sample: Sample): void {
    this.#parts.storage.samples.add(sample);
  }

  /** Rejects if storage refuses; rows and samples are then written the next time. */
  async writeMetrics(): Promise<void> {
    this.#metricsWrittenAt = performance.now();
    const { metrics, samples, record, refusal } = this.#parts.storage;
    await metrics.flush();
    await samples.flush();
    if (!refusal) await record.rollouts.flush();
  }

  /** All metrics of the run so far. */
  metrics(): Promise<MetricColumns> {
    return this.#parts.storage.readMetrics();
  }

  /** Writes the metrics, as far as storage allows, and gives the run back. */
  async close(): Promise<void> {
    const { storage } = this.#parts;
    if (!storage.refusal) await storage.record.rollouts.flush().catch(() => undefined);
    await storage.close();
  }
}
