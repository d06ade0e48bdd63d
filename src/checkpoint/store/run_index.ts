/**
 * index.json of the library, with one entry per run. All tabs, of whatever version of the page, share
 * it and change it under one lock.
 */
import * as v from 'valibot';
import { RunConfigSchema, savedConfig } from '../../config/index.ts';
import { listParameters, parameterSize } from '../../model/parameters.ts';
import { readCheckpoint } from '../checkpoint.ts';
import type { CheckpointState } from '../checkpoint_state.ts';
import { CheckpointError, shorten } from '../error.ts';
import type { FileSystem } from './file_system.ts';
import { generationBytes, readGeneration, readPointer } from './generations.ts';
import type { Locks } from './locks.ts';
import { checkId, folderOf, loadName, RUNS } from './run_folder.ts';
import { readSlots, writeSlots } from './slots.ts';

/**
 * Do not add keys: earlier versions of the page drop them when they rewrite the index. New facts
 * belong in files in the run's folder (run_folder.ts).
 */
export const IndexEntry = v.object({
  run: v.string(),
  name: v.string(),
  /** Times are in milliseconds since 1970. */
  created: v.number(),
  updated: v.number(),
  step: v.number(),
  val_loss: v.nullable(v.number()),
  n_params: v.number(),
  bytes: v.number(),
  config: RunConfigSchema,
  /** True if a checkpoint was saved. */
  resumable: v.boolean(),
});
export type IndexEntry = v.InferOutput<typeof IndexEntry>;

const INDEX = 'index.json';
const INDEX_LOCK = 'terrarium-index';

export class RunIndex {
  readonly #fs: FileSystem;
  readonly #locks: Locks;

  constructor(fs: FileSystem, locks: Locks) {
    this.#fs = fs;
    this.#locks = locks;
  }

  /** All entries, after those that were lost have been restored. */
  entries(): Promise<IndexEntry[]> {
    return this.#locks.hold(INDEX_LOCK, () => this.#restored());
  }

  /** The entry of a run. Throws `run_missing`. */
  async entry(id: string): Promise<IndexEntry> {
    checkId(id);
    const entry = (await this.entries()).find(({ run }) => run === id);
    if (entry) return entry;
    throw new CheckpointError(
      'run_missing',
      'This run is not in the storage of this browser.',
      'It was deleted, maybe in another tab. Choose another one from the list.',
    );
  }

  /**
   * Replaces the entries by what `edit` returns. Nothing changes if it throws. `then` runs before
   * anybody else can read the entries.
   */
  async change(
    edit: (entries: IndexEntry[]) => IndexEntry[],
    then?: () => Promise<void>,
  ): Promise<void> {
    await this.#locks.hold(INDEX_LOCK, async () => {
      await this.#write(edit(await this.#read()));
      await then?.();
    });
  }

  /** Changes some fields of one entry. */
  async update(id: string, change: Partial<IndexEntry>): Promise<void> {
    await this.change((entries) =>
      entries.map((entry) => (entry.run === id ? { ...entry, ...change } : entry)),
    );
  }

  async #read(): Promise<IndexEntry[]> {
    const index = await readSlots(this.#fs, INDEX);
    if (!Array.isArray(index)) return [];
    return index.flatMap((item) => {
      const result = v.safeParse(IndexEntry, item);
      return result.success ? [result.output] : [];
    });
  }

  async #write(entries: readonly IndexEntry[]): Promise<void> {
    const saved = entries.map((entry) => ({ ...entry, config: savedConfig(entry.config) }));
    await writeSlots(this.#fs, INDEX, saved);
  }

  /**
   * Reads the entries, and adds those of folders that have a checkpoint but no entry: the index was
   * damaged, or an earlier version of the page could not read the entry's configuration and dropped
   * it.
   */
  async #restored(): Promise<IndexEntry[]> {
    const entries = await this.#read();
    const known = new Set(entries.map(({ run }) => run));
    const restored: IndexEntry[] = [];
    for (const id of await this.#fs.list(RUNS)) {
      const entry = known.has(id) ? null : await this.#restore(id);
      if (entry) restored.push(entry);
    }
    if (restored.length === 0) return entries;
    const all = [...entries, ...restored];
    try {
      await this.#write(all);
    } catch (error) {
      // A full storage is still read: the entries are restored again next time.
      if (!(error instanceof CheckpointError)) throw error;
    }
    return all;
  }

  async #restore(id: string): Promise<IndexEntry | null> {
    const folder = folderOf(id);
    const [current] = await readPointer(this.#fs, folder);
    if (!current) return null;
    let state: CheckpointState;
    try {
      state = readCheckpoint(await readGeneration(this.#fs, folder, current));
    } catch {
      return null;
    }
    const now = Date.now();
    const { name, created } = (await loadName(this.#fs, folder)) ?? {
      name: `Recovered ${shorten(id, 12)}`,
      created: now,
    };
    return {
      run: id,
      name,
      created,
      updated: now,
      step: state.step,
      val_loss: state.best_val_loss ?? null,
      n_params: countParameters(state),
      bytes: generationBytes(current),
      config: state.config,
      resumable: true,
    };
  }
}

/** Number of trainable values of the model. */
export const countParameters = ({ model }: Pick<CheckpointState, 'model'>): number =>
  listParameters(model).reduce((sum, parameter) => sum + parameterSize(parameter), 0);
