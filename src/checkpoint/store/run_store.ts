/**
 * The library of runs. Each run is a folder under `runs/`, and `index.json` has one entry per run. An
 * open run is held by a lock of its own, so only one tab writes to it.
 */
import type { BestCheckpoint, Lineage, MetricColumns, StorageUse } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import { CheckpointError } from '../error.ts';
import type { JsonRecord } from '../json.ts';
import { DEFAULT_LINEAGE } from '../lineage.ts';
import { copyBest, readBest } from './best.ts';
import { dropPrevious } from './drop_previous.ts';
import type { FileSystem } from './file_system.ts';
import { pointerPath, readGeneration, readPointer, writeGeneration } from './generations.ts';
import type { Locks } from './locks.ts';
import { readMetrics } from './metrics_file.ts';
import { OpenRun, type SaveSummary } from './open_run.ts';
import { checkId, folderOf, isSharedFile, loadLineage, saveName } from './run_folder.ts';
import { countParameters, RunIndex, type IndexEntry } from './run_index.ts';
import { RunRecord, type RecordedFacts } from './run_record.ts';
import { RunRecords } from './run_records.ts';
import { removeSlots } from './slots.ts';
import { Space } from './space.ts';
import { loadStage } from './stage_file.ts';
import { RunTransfer } from './transfer.ts';
import { Trash } from './trash.ts';

/** A run as the list shows it. */
export interface StoredRun extends IndexEntry {
  lineage: Lineage;
  /** The best checkpoint, if one is kept. */
  best: BestCheckpoint | null;
  /** Settings of a stage, not checked here; undefined for pretraining. */
  stage: JsonRecord | undefined;
  max_iters: number;
  /** True if this or another tab has the run open. */
  locked: boolean;
}

export interface NewRun {
  id: string;
  name: string;
  config: RunConfig;
  n_params: number;
  /** Default: pretraining from random weights. */
  lineage?: Lineage;
}

/** How long to wait for the lock of a run, in ms. */
const PATIENCE = 1500;
const lockName = (id: string) => `terrarium-run-${id}`;

export class RunStore {
  /** Why files are kept in memory only, or null if they are kept in the browser's storage. */
  readonly refused: CheckpointError | null;
  /** Runs that `discard` has deleted. */
  readonly trash: Trash;
  readonly space: Space;
  readonly transfer: RunTransfer;
  /** Votes, rollouts and evaluations. */
  readonly records: RunRecords;
  readonly #fs: FileSystem;
  readonly #locks: Locks;
  readonly #index: RunIndex;
  readonly #opened = new Map<string, OpenRun>();
  /** Runs that are open elsewhere and whose end is waited for. */
  readonly #watched = new Set<string>();
  /** Called when a run that `list` said is open was closed, here or in another tab. */
  onClosed: () => void = () => undefined;

  constructor(fs: FileSystem, locks: Locks, refused: CheckpointError | null) {
    this.refused = refused;
    this.#fs = fs;
    this.#locks = locks;
    this.#index = new RunIndex(fs, locks);
    this.space = new Space(fs);
    this.records = new RunRecords(fs, locks, this.#index);
    const exclusively = (id: string, action: () => Promise<void>): Promise<void> =>
      this.#exclusively(id, action);
    this.trash = new Trash(fs, this.#index, exclusively);
    this.transfer = new RunTransfer({ fs, index: this.#index, trash: this.trash, exclusively });
  }

  /** All runs, most recently changed first. */
  async list(): Promise<StoredRun[]> {
    const entries = await this.#index.entries();
    const held = await this.#locks.held();
    const runs = await Promise.all(
      entries.map(async (entry) => ({
        ...entry,
        lineage: await loadLineage(this.#fs, folderOf(entry.run)),
        best: await readBest(this.#fs, folderOf(entry.run)),
        stage: await loadStage(this.#fs, folderOf(entry.run)),
        max_iters: entry.config.training.max_iters,
        locked: held.has(lockName(entry.run)),
      })),
    );
    for (const { run, locked } of runs) if (locked) this.#watch(run);
    return runs.sort((a, b) => b.updated - a.updated);
  }

  #watch(id: string): void {
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    void this.#locks.whenFree(lockName(id)).then(() => {
      this.#watched.delete(id);
      this.onClosed();
    });
  }

  /**
   * Creates a run and opens it. If storage is full, the run is kept in memory until a save succeeds
   * (`OpenRun.refusal`). Throws `run_locked` if a run with this id exists.
   */
  async create({
    id,
    name,
    config,
    n_params,
    lineage = DEFAULT_LINEAGE,
  }: NewRun): Promise<OpenRun> {
    const now = Date.now();
    const entry: IndexEntry = {
      run: checkId(id),
      name,
      created: now,
      updated: now,
      step: 0,
      val_loss: null,
      n_params,
      bytes: 0,
      config,
      resumable: false,
    };
    const run = await this.#hold({ entry, lineage });
    try {
      await this.#checkUnused(id);
      await run.writeRecord();
    } catch (error) {
      await run.close();
      throw error;
    }
    return run;
  }

  async #checkUnused(id: string): Promise<void> {
    const entries = await this.#index.entries();
    if (!entries.some(({ run }) => run === id)) return;
    throw new CheckpointError(
      'run_locked',
      'A run with this identifier exists already.',
      'Start the run again; it gets a new identifier.',
    );
  }

  /** Opens a run, which no other tab can open then. Throws `run_missing` or `run_locked`. */
  async open(id: string): Promise<OpenRun> {
    const entry = await this.#index.entry(id);
    const lineage = await loadLineage(this.#fs, folderOf(id));
    return this.#hold({ entry, lineage });
  }

  /** Throws `run_missing`. */
  async rename(id: string, name: string): Promise<void> {
    const { created } = await this.#index.entry(id);
    this.#opened.get(id)?.record.rename(name);
    await this.#index.update(id, { name });
    await saveName(this.#fs, folderOf(id), { name, created });
  }

  /**
   * Copies the last checkpoint, the best one, and the files beside them. Throws `run_missing`,
   * `run_locked` or `storage_full`.
   */
  async duplicate(id: string, copy: string, name: string): Promise<void> {
    const entry = await this.#index.entry(id);
    const folder = folderOf(checkId(copy));
    const now = Date.now();
    await this.#exclusively(id, async () => {
      try {
        await this.#copyFiles(folderOf(id), folder);
        await saveName(this.#fs, folder, { name, created: now });
        await this.#index.change((entries) => [
          ...entries.filter(({ run }) => run !== copy),
          { ...entry, run: copy, name, created: now, updated: now },
        ]);
      } catch (error) {
        await this.#fs.remove(folder);
        throw error;
      }
    });
  }

  async #copyFiles(from: string, to: string): Promise<void> {
    for (const file of (await this.#fs.list(from)).filter(isSharedFile)) {
      const bytes = await this.#fs.read(`${from}/${file}`);
      if (bytes) await this.#fs.write(`${to}/${file}`, bytes);
    }
    const [current] = await readPointer(this.#fs, from);
    if (!current) return;
    await writeGeneration(this.#fs, to, await readGeneration(this.#fs, from, current));
    await copyBest(this.#fs, from, to);
  }

  /**
   * Deletes a run so that `trash.restore` can undo it. Returns false if storage is too full for that,
   * so that the run was deleted for good. Throws `run_missing` or `run_locked`.
   */
  async discard(id: string): Promise<boolean> {
    if (this.#opened.has(id)) throw lockedError();
    const kept = await this.trash.put(id);
    if (!kept) await this.delete(id);
    return kept;
  }

  /** Deletes for good. Throws `run_locked` if this or another tab has the run open. */
  async delete(id: string): Promise<void> {
    if (this.#opened.has(id)) throw lockedError();
    await this.#exclusively(checkId(id), async () => {
      // Removed first: if the tab closes now, a folder without pointer is not restored as a lost run.
      await removeSlots(this.#fs, pointerPath(folderOf(id)));
      await this.#index.change((entries) => entries.filter(({ run }) => run !== id));
      await this.#fs.remove(folderOf(id));
    });
  }

  /** Metrics of any run, open or not. */
  async readMetrics(id: string): Promise<MetricColumns> {
    const open = this.#opened.get(checkId(id));
    return open ? open.readMetrics() : readMetrics(this.#fs, folderOf(id));
  }

  async storage(): Promise<StorageUse> {
    const budget = await this.space.budget();
    return { ...(await this.#fs.usage()), available: this.refused === null, budget };
  }

  /** Removes the checkpoint before the last one; returns the bytes freed. Throws `run_locked`. */
  async dropPrevious(id: string): Promise<number> {
    let freed = 0;
    await this.#exclusively(checkId(id), async () => {
      freed = await dropPrevious(this.#fs, id);
    });
    return freed;
  }

  async #hold(facts: RecordedFacts): Promise<OpenRun> {
    const id = facts.entry.run;
    const release = await this.#locks.take(lockName(id), PATIENCE);
    if (!release) throw lockedError();
    const run = new OpenRun({
      id,
      fs: this.#fs,
      record: new RunRecord(this.#fs, this.#index, this.records, facts),
      saved: (summary) => this.#noteSave(id, summary),
      release: () => {
        this.#opened.delete(id);
        release();
      },
    });
    this.#opened.set(id, run);
    return run;
  }

  /** Runs `action` while nobody writes to the run. Throws `run_locked`. */
  async #exclusively(id: string, action: () => Promise<void>): Promise<void> {
    const open = this.#opened.get(id);
    if (open) {
      await open.metrics.flush();
      await open.samples.flush();
      return open.exclusively(action);
    }
    const release = await this.#locks.take(lockName(id), PATIENCE);
    if (!release) throw lockedError();
    try {
      await action();
    } finally {
      release();
    }
  }

  async #noteSave(id: string, { step, val_loss, bytes, state }: SaveSummary): Promise<void> {
    await this.#index.update(id, {
      step,
      val_loss,
      bytes,
      config: state.config,
      n_params: countParameters(state),
      updated: Date.now(),
      resumable: true,
    });
  }
}

const lockedError = () =>
  new CheckpointError(
    'run_locked',
    'This run is already open, here or in another tab.',
    'Continue in that tab, or close it first.',
  );
