/**
 * A run that this worker holds: its checkpoints, its metrics and its text. Operations queue up, one
 * at a time.
 */
import type { MetricColumns, OwnText } from '../../common/index.ts';
import {
  readCheckpoint,
  writeCheckpoint,
  type CheckpointState,
  type ReadState,
} from '../checkpoint.ts';
import { CheckpointError } from '../error.ts';
import { isRecord } from '../json.ts';
import { metricLines, parseMetricLines, resumeLine } from '../metric_columns.ts';
import type { FileSystem } from './file_system.ts';
import { readGeneration, readPointer, writeGeneration } from './generations.ts';
import { readSlots, writeSlots } from './slots.ts';

/** `recovered`: the last checkpoint did not open, this is the one before it. */
export interface LoadedCheckpoint {
  state: ReadState;
  recovered: boolean;
}

/** What the index says about a run after a save. */
export interface SaveSummary {
  step: number;
  val_loss: number | null;
  bytes: number;
  state: CheckpointState;
}

const metricsPath = (folder: string) => `${folder}/metrics.jsonl`;

export class OpenRun {
  private queue: Promise<unknown> = Promise.resolve();
  private open = true;

  constructor(
    readonly id: string,
    private readonly fs: FileSystem,
    private readonly folder: string,
    private readonly saved: (summary: SaveSummary) => Promise<void>,
    private readonly release: () => void,
  ) {}

  /**
   * Saves a checkpoint atomically and returns its bytes. Metrics are kept beside it, not in it.
   * Throws `storage_full` and others, with the last checkpoint untouched.
   */
  save(state: CheckpointState): Promise<number> {
    return this.one(async () => {
      const bytes = await writeGeneration(
        this.fs,
        this.folder,
        writeCheckpoint({ ...state, metrics: undefined }),
      );
      await this.saved({ step: state.step, val_loss: state.best_val_loss ?? null, bytes, state });
      return bytes;
    });
  }

  /**
   * The last checkpoint that opens, or null where none was saved. Throws what is wrong with it
   * where none opens.
   */
  load(): Promise<LoadedCheckpoint | null> {
    return this.one(async () => {
      let first: CheckpointError | null = null;
      for (const generation of await readPointer(this.fs, this.folder)) {
        try {
          return {
            state: readCheckpoint(await readGeneration(this.fs, this.folder, generation)),
            recovered: first !== null,
          };
        } catch (error) {
          if (!(error instanceof CheckpointError)) throw error;
          first ??= error;
        }
      }
      if (first) throw first;
      return null;
    });
  }

  appendMetrics(columns: MetricColumns): Promise<void> {
    return this.one(() =>
      this.fs.append(metricsPath(this.folder), new TextEncoder().encode(metricLines(columns))),
    );
  }

  /** Metrics after this step no longer count: the run goes on from a checkpoint of that step. */
  rewindMetrics(step: number): Promise<void> {
    // The line break ends a row that was cut short when the tab closed.
    return this.one(() =>
      this.fs.append(metricsPath(this.folder), new TextEncoder().encode(`\n${resumeLine(step)}`)),
    );
  }

  readMetrics(): Promise<MetricColumns> {
    return this.one(() => readMetrics(this.fs, this.folder));
  }

  saveText(text: OwnText): Promise<void> {
    return this.one(async () => {
      await this.fs.write(`${this.folder}/text.bin`, text.bytes);
      await writeSlots(this.fs, `${this.folder}/text.json`, {
        name: text.name,
        ...(text.column === undefined ? {} : { column: text.column }),
        bytes: text.bytes.length,
      });
    });
  }

  /** The run's own text, or null where it has none. */
  loadText(): Promise<OwnText | null> {
    return this.one(async () => {
      const info = await readSlots(this.fs, `${this.folder}/text.json`);
      const bytes = await this.fs.read(`${this.folder}/text.bin`);
      if (!isRecord(info) || typeof info.name !== 'string' || !bytes || bytes.length !== info.bytes)
        return null;
      return {
        name: info.name,
        bytes,
        ...(typeof info.column === 'string' ? { column: info.column } : {}),
      };
    });
  }

  /** Waits for what is under way, then gives the run back; it can be opened again. */
  async close(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.queue;
    this.release();
  }

  /** Runs alone among the operations on this run. */
  one<T>(action: () => Promise<T>): Promise<T> {
    if (!this.open)
      return Promise.reject(
        new CheckpointError(
          'run_missing',
          'This run has been closed.',
          'Open it again from the list of runs.',
        ),
      );
    const turn = this.queue.then(action);
    this.queue = turn.catch(() => undefined);
    return turn;
  }
}

export async function readMetrics(fs: FileSystem, folder: string): Promise<MetricColumns> {
  return parseMetricLines(
    new TextDecoder().decode((await fs.read(metricsPath(folder))) ?? new Uint8Array()),
  );
}
