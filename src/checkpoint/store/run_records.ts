/** Votes, rollouts and evaluations of runs. Any tab may add to them, whoever has the run open. */
import type { EvaluationRecord, RolloutRecord, Vote } from '../../common/index.ts';
import {
  EVALUATIONS,
  readRecords,
  type RecordKind,
  recordLines,
  ROLLOUTS,
  TRAINING_VOTES,
  VOTES,
} from '../record_lines.ts';
import type { FileSystem } from './file_system.ts';
import type { Locks } from './locks.ts';
import { PoolFile } from './pool_file.ts';
import { RecordFile } from './record_file.ts';
import { folderOf } from './run_folder.ts';
import type { RunIndex } from './run_index.ts';

const encode = (lines: string): Uint8Array => new TextEncoder().encode(lines);

export class RunRecords {
  readonly #fs: FileSystem;
  readonly #locks: Locks;
  readonly #index: RunIndex;

  constructor(fs: FileSystem, locks: Locks, index: RunIndex) {
    this.#fs = fs;
    this.#locks = locks;
    this.#index = index;
  }

  /** Throws `run_missing`, as the other methods do. */
  async votes(run: string): Promise<RecordFile<Vote>> {
    return this.#file(run, VOTES);
  }

  /** Those that the run, a stage, trains on. */
  async trainingVotes(run: string): Promise<RecordFile<Vote>> {
    return this.#file(run, TRAINING_VOTES);
  }

  async evaluations(run: string): Promise<RecordFile<EvaluationRecord>> {
    return this.#file(run, EVALUATIONS);
  }

  async rollouts(run: string): Promise<RecordFile<RolloutRecord>> {
    return this.#file(run, ROLLOUTS);
  }

  /** The state of the room that the run was trained in, at its host. */
  async pool(run: string): Promise<PoolFile> {
    await this.#index.entry(run);
    return new PoolFile(this.#fs, folderOf(run));
  }

  /** The files of an export by name; a kind without records has none. */
  async files(run: string): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>();
    const add = async <T>(kind: RecordKind<T>): Promise<void> => {
      const { records } = await this.#open(run, kind).read();
      if (records.length > 0) files.set(kind.file, encode(recordLines(records)));
    };
    await add(VOTES);
    await add(TRAINING_VOTES);
    await add(ROLLOUTS);
    await add(EVALUATIONS);
    return files;
  }

  /** Adds what an export has; lines that cannot be read are left out. */
  async addFiles(run: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const add = async <T>(kind: RecordKind<T>): Promise<void> => {
      const bytes = files.get(kind.file);
      if (!bytes || bytes.length > 2 * kind.max_bytes) return;
      const file = this.#open(run, kind);
      file.add(readRecords(new TextDecoder().decode(bytes), kind));
      await file.flush();
    };
    await add(VOTES);
    await add(TRAINING_VOTES);
    await add(ROLLOUTS);
    await add(EVALUATIONS);
  }

  async #file<T>(run: string, kind: RecordKind<T>): Promise<RecordFile<T>> {
    await this.#index.entry(run);
    return this.#open(run, kind);
  }

  #open<T>(run: string, kind: RecordKind<T>): RecordFile<T> {
    const lock = `terrarium-${kind.file}-${run}`;
    return new RecordFile(this.#fs, folderOf(run), kind, (action) =>
      this.#locks.hold(lock, action),
    );
  }
}
