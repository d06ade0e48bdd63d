/** A run that this worker holds: its checkpoints, metrics, samples and text, and how it is viewed. */
import type { BestCheckpoint, MetricColumns, OwnText, RunView } from '../../common/index.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import type { CheckpointState, ReadState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';
import { FILES } from '../folder.ts';
import { writeLineage } from '../lineage.ts';
import { parseMetricLines } from '../metric_columns.ts';
import { readBest, readBestFiles, writeBest } from './best.ts';
import type { FileSystem } from './file_system.ts';
import { readGeneration, readPointer, writeGeneration } from './generations.ts';
import { encode, metricsPath, readMetricLines } from './metrics_file.ts';
import { MetricsWriter } from './metrics_writer.ts';
import { loadLineage } from './run_folder.ts';
import {
  loadRecipe,
  loadView,
  parseView,
  saveRecipe,
  saveView,
  type StoredRecipe,
} from './run_notes.ts';
import type { RunRecord } from './run_record.ts';
import { loadText, saveText } from './run_text.ts';
import { SamplesFile } from './samples_file.ts';

export interface LoadedCheckpoint {
  state: ReadState;
  /** True if the last checkpoint could not be read and this is the one before it. */
  recovered: boolean;
}

/** What the index says about a run after a save. */
export interface SaveSummary {
  step: number;
  val_loss: number | null;
  bytes: number;
  state: CheckpointState;
}

export interface OpenRunOptions {
  id: string;
  fs: FileSystem;
  record: RunRecord;
  /** Is called after each save, before the run counts as saved. */
  saved: (summary: SaveSummary) => Promise<void>;
  /** Gives the lock of the run back. */
  release: () => void;
}

/** Operations are queued and run one at a time, in the order of their calls. */
export class OpenRun {
  readonly id: string;
  /** Appends to the metrics of this run. `readMetrics` includes rows that are still pending. */
  readonly metrics: MetricsWriter;
  readonly samples: SamplesFile;
  /** Called when the files of the run have disappeared and were written again. */
  onRestored: () => void = () => undefined;
  readonly #fs: FileSystem;
  readonly #folder: string;
  /** What storage has of the run beside checkpoints, metrics and samples. */
  readonly record: RunRecord;
  #refusal: CheckpointError | null = null;
  readonly #saved: (summary: SaveSummary) => Promise<void>;
  readonly #release: () => void;
  #queue: Promise<unknown> = Promise.resolve();
  #open = true;
  #closing: Promise<void> | null = null;

  constructor({ id, fs, record, saved, release }: OpenRunOptions) {
    const { folder } = record;
    this.id = id;
    this.#fs = fs;
    this.record = record;
    this.#folder = folder;
    this.#saved = saved;
    this.#release = release;
    this.metrics = new MetricsWriter((text) =>
      this.exclusively(() => fs.append(metricsPath(folder), encode(text))),
    );
    this.samples = new SamplesFile(fs, folder, (action) => this.exclusively(action));
  }

  /** Why storage does not have the run yet, although it trains; null if it has. */
  get refusal(): CheckpointError | null {
    return this.#refusal;
  }

  /**
   * Writes what is known of the run. If storage is full, the run exists in memory until a save
   * succeeds. Throws other errors of storage.
   */
  async writeRecord(): Promise<void> {
    await this.#orLater(() => this.record.write());
    // The run is not listed by half.
    if (this.#refusal) await this.#fs.remove(this.#folder);
  }

  /** If storage is full, what the record has is written with the next save. */
  async #orLater(write: () => Promise<void>): Promise<void> {
    if (!this.record.wasStored) return;
    try {
      await write();
    } catch (error) {
      if (!(error instanceof CheckpointError && error.code === 'storage_full')) throw error;
      this.#refusal = error;
      this.record.wasStored = false;
    }
  }

  /**
   * Saves a checkpoint atomically and returns its size in bytes. Metrics are kept beside it, not in
   * it. Throws `storage_full` and others with the last checkpoint untouched.
   */
  save(state: CheckpointState): Promise<number> {
    return this.exclusively(async () => {
      const lineage = state.lineage ?? (await loadLineage(this.#fs, this.#folder));
      const files = writeCheckpoint({ ...state, lineage, metrics: undefined });
      const bytes = await writeGeneration(this.#fs, this.#folder, files);
      const { step, best_val_loss = null } = state;
      await this.#saved({ step, val_loss: best_val_loss, bytes, state });
      return bytes;
    });
  }

  /**
   * Writes everything but the checkpoints if storage does not have the run: it was full when the run
   * began, or its files have disappeared. Throws `storage_full` and others.
   */
  ensureStored(): Promise<void> {
    return this.exclusively(async () => {
      await this.#fs.renew();
      if (!(await this.record.isStored())) await this.#writeAgain();
    });
  }

  async #writeAgain(): Promise<void> {
    const disappeared = this.record.wasStored;
    await this.record.write();
    await this.#fs.write(metricsPath(this.#folder), encode(this.metrics.allLines));
    this.metrics.rewritten();
    this.samples.lost();
    this.#refusal = null;
    if (disappeared) this.onRestored();
  }

  /**
   * Returns the last readable checkpoint, or null if none was saved. If none is readable, throws the
   * error of the last one.
   */
  load(): Promise<LoadedCheckpoint | null> {
    return this.exclusively(async () => {
      let first: CheckpointError | null = null;
      for (const generation of await readPointer(this.#fs, this.#folder)) {
        try {
          const files = await readGeneration(this.#fs, this.#folder, generation);
          return { state: await this.#read(files), recovered: first !== null };
        } catch (error) {
          if (!(error instanceof CheckpointError)) throw error;
          first ??= error;
        }
      }
      if (first) throw first;
      return null;
    });
  }

  /** Step and score of the best checkpoint, or null if none is kept. */
  best(): Promise<BestCheckpoint | null> {
    return this.exclusively(() => readBest(this.#fs, this.#folder));
  }

  /** Keeps a checkpoint as the best one. Throws `storage_full` and others with the former untouched. */
  saveBest(best: BestCheckpoint, state: CheckpointState): Promise<void> {
    return this.exclusively(async () => {
      const lineage = state.lineage ?? (await loadLineage(this.#fs, this.#folder));
      const files = writeCheckpoint({ ...state, lineage, metrics: undefined });
      await writeBest(this.#fs, this.#folder, best, files);
    });
  }

  /** The best checkpoint, or null if none is kept. Throws if it is damaged. */
  loadBest(): Promise<ReadState | null> {
    return this.exclusively(async () => {
      const files = await readBestFiles(this.#fs, this.#folder);
      return files && this.#read(files);
    });
  }

  async #read(files: Map<string, Uint8Array>): Promise<ReadState> {
    // A page of an earlier version saves checkpoints without lineage; the run's folder still has it.
    if (!files.has(FILES.lineage)) {
      files.set(FILES.lineage, writeLineage(await loadLineage(this.#fs, this.#folder)));
    }
    return readCheckpoint(files);
  }

  /** Adds rows to the metrics and appends everything that is pending. */
  appendMetrics(columns: MetricColumns): Promise<void> {
    this.metrics.add(columns);
    return this.metrics.flush();
  }

  /**
   * Drops metrics, samples and rollouts after `step`, from which the run continues. If storage refuses,
   * that stays pending like what follows, so that the run can still be opened.
   */
  async rewindMetrics(step: number): Promise<void> {
    this.metrics.rewind(step);
    this.samples.rewind(step);
    this.record.rollouts.rewind(step);
    try {
      await this.metrics.flush();
      await this.samples.flush();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
    }
  }

  /** All metrics, including those that are not in storage yet. */
  readMetrics(): Promise<MetricColumns> {
    return this.exclusively(async () => {
      const saved = await readMetricLines(this.#fs, this.#folder);
      this.metrics.remember(saved);
      const { pendingLines } = this.metrics;
      return parseMetricLines(pendingLines === '' ? saved : `${saved}\n${pendingLines}`);
    });
  }

  /** Keeps the text with the run. If storage is full, it is written with the next save. */
  saveText(text: OwnText): Promise<void> {
    this.record.text = text;
    return this.exclusively(() => this.#orLater(() => saveText(this.#fs, this.#folder, text)));
  }

  /** The person's own text, or null if the run has none. */
  loadText(): Promise<OwnText | null> {
    return this.exclusively(async () => {
      this.record.text ??= await loadText(this.#fs, this.#folder);
      return this.record.text;
    });
  }

  /** How the page looks at the run. */
  saveView(view: RunView): Promise<void> {
    this.record.view = parseView(view) ?? this.record.view;
    return this.exclusively(() => this.#orLater(() => saveView(this.#fs, this.#folder, view)));
  }
  /** Null if nothing was kept. */
  loadView(): Promise<RunView | null> {
    return this.exclusively(async () => {
      this.record.view ??= await loadView(this.#fs, this.#folder);
      return this.record.view;
    });
  }

  saveRecipe(recipe: StoredRecipe): Promise<void> {
    this.record.recipe = recipe;
    return this.exclusively(() => this.#orLater(() => saveRecipe(this.#fs, this.#folder, recipe)));
  }
  /** Null for runs of earlier versions. */
  loadRecipe(): Promise<StoredRecipe | null> {
    return this.exclusively(async () => {
      this.record.recipe ??= await loadRecipe(this.#fs, this.#folder);
      return this.record.recipe;
    });
  }

  /**
   * Flushes the metrics and samples, waits for queued operations, and gives the run back; it can be opened again.
   * Rows that cannot be written even now are lost, so flush before closing to learn of an error.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.metrics.flush().catch(() => undefined);
    await this.samples.flush().catch(() => undefined);
    this.#open = false;
    await this.#queue;
    this.#release();
  }

  /** Runs `action` after all operations that were queued before, and before later ones. */
  exclusively<T>(action: () => Promise<T>): Promise<T> {
    if (!this.#open) {
      const error = new CheckpointError(
        'run_missing',
        'This run was closed.',
        'Open it again from the list of runs.',
      );
      return Promise.reject(error);
    }
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
