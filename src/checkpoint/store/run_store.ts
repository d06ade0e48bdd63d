/**
 * The library of runs: a folder a run under `runs/`, and `index.json` with one entry a run. The
 * index is changed under a lock that all tabs share; each open run is held by a lock of its own,
 * `terrarium-run-ID`.
 */
import * as v from 'valibot';
import type { MetricColumns, StorageUse } from '../../common/index.ts';
import { RunConfigSchema, type RunConfig } from '../../config/index.ts';
import { listParameters, parameterSize } from '../../model/parameters.ts';
import { readCheckpoint } from '../checkpoint.ts';
import { CheckpointError, shorten } from '../error.ts';
import type { FileSystem } from './file_system.ts';
import { readGeneration, readPointer, writeGeneration } from './generations.ts';
import type { Locks } from './locks.ts';
import { OpenRun, readMetrics, type SaveSummary } from './open_run.ts';
import { readSlots, removeSlots, writeSlots } from './slots.ts';

const Entry = v.object({
  run: v.string(),
  name: v.string(),
  created: v.number(),
  updated: v.number(),
  step: v.number(),
  val_loss: v.nullable(v.number()),
  n_params: v.number(),
  bytes: v.number(),
  config: RunConfigSchema,
  resumable: v.boolean(),
});
type Entry = v.InferOutput<typeof Entry>;

/**
 * A run as the list shows it. `locked`: held by this or another tab; `resumable`: a checkpoint was
 * saved. Times in milliseconds.
 */
export interface StoredRun extends Entry {
  max_iters: number;
  locked: boolean;
}

const INDEX = 'index.json';
const INDEX_LOCK = 'terrarium-index';
const PATIENCE = 1500;
const lockName = (id: string) => `terrarium-run-${id}`;

export class RunStore {
  private readonly opened = new Map<string, OpenRun>();

  /** `refused`: why files live in memory alone, or null where they are kept. */
  constructor(
    private readonly fs: FileSystem,
    private readonly locks: Locks,
    readonly refused: CheckpointError | null,
  ) {}

  /** All runs, the last changed first. */
  async list(): Promise<StoredRun[]> {
    const entries = await this.locks.hold(INDEX_LOCK, () => this.heal());
    const held = await this.locks.held();
    return entries
      .map((entry) => ({
        ...entry,
        max_iters: entry.config.training.max_iters,
        locked: held.has(lockName(entry.run)),
      }))
      .sort((a, b) => b.updated - a.updated);
  }

  /** Makes a run and opens it. Throws `run_locked` where the name of its folder is taken. */
  async create(run: {
    id: string;
    name: string;
    config: RunConfig;
    n_params: number;
  }): Promise<OpenRun> {
    const now = Date.now();
    const entry = {
      run: checkId(run.id),
      name: run.name,
      created: now,
      updated: now,
      step: 0,
      val_loss: null,
      n_params: run.n_params,
      bytes: 0,
      config: run.config,
      resumable: false,
    };
    await this.change((entries) => {
      if (entries.some((e) => e.run === run.id))
        throw new CheckpointError(
          'run_locked',
          'A run with this identifier exists already.',
          'Start the run again; it gets a new one.',
        );
      return [...entries, entry];
    });
    return this.hold(run.id);
  }

  /** Opens a run, alone among all tabs. Throws `run_missing` or `run_locked`. */
  async open(id: string): Promise<OpenRun> {
    await this.entry(id);
    return this.hold(id);
  }

  async rename(id: string, name: string): Promise<void> {
    await this.entry(id);
    await this.change((entries) => entries.map((e) => (e.run === id ? { ...e, name } : e)));
  }

  /**
   * Copies the last checkpoint, the metrics and the text. Throws `run_missing`, `run_locked` or
   * `storage_full`.
   */
  async duplicate(id: string, copy: string, name: string): Promise<void> {
    const entry = await this.entry(id);
    const from = folderOf(id);
    const to = folderOf(checkId(copy));
    await this.during(id, async () => {
      try {
        for (const file of await this.fs.list(from)) {
          const bytes = /^(metrics\.jsonl|text\.)/.test(file)
            ? await this.fs.read(`${from}/${file}`)
            : null;
          if (bytes) await this.fs.write(`${to}/${file}`, bytes);
        }
        const [current] = await readPointer(this.fs, from);
        if (current)
          await writeGeneration(this.fs, to, await readGeneration(this.fs, from, current));
        await this.change((entries) => [
          ...entries.filter((e) => e.run !== copy),
          { ...entry, run: copy, name, created: Date.now(), updated: Date.now() },
        ]);
      } catch (error) {
        await this.fs.remove(to);
        throw error;
      }
    });
  }

  /** Throws `run_locked` where the run is open, here or in another tab. */
  async delete(id: string): Promise<void> {
    if (this.opened.has(id)) throw lockedError();
    await this.during(checkId(id), async () => {
      // Without its pointer, a folder that is left over by a dying tab is not taken for a lost run.
      await removeSlots(this.fs, `${folderOf(id)}/pointer.json`);
      await this.change((entries) => entries.filter((e) => e.run !== id));
      await this.fs.remove(folderOf(id));
    });
  }

  /** Metrics of any run, open or not. */
  async readMetrics(id: string): Promise<MetricColumns> {
    const open = this.opened.get(checkId(id));
    return open ? open.readMetrics() : readMetrics(this.fs, folderOf(id));
  }

  async storage(): Promise<StorageUse> {
    return { ...(await this.fs.usage()), available: this.refused === null };
  }

  private async entry(id: string): Promise<Entry> {
    const entry = (await this.locks.hold(INDEX_LOCK, () => this.heal())).find(
      (e) => e.run === checkId(id),
    );
    if (!entry)
      throw new CheckpointError(
        'run_missing',
        'This run is not in the storage of this browser.',
        'It was deleted, perhaps in another tab; choose another one from the list.',
      );
    return entry;
  }

  private async hold(id: string): Promise<OpenRun> {
    const release = await this.locks.take(lockName(id), PATIENCE);
    if (!release) throw lockedError();
    const run = new OpenRun(
      id,
      this.fs,
      folderOf(id),
      (summary) => this.noteSave(id, summary),
      () => {
        this.opened.delete(id);
        release();
      },
    );
    this.opened.set(id, run);
    return run;
  }

  /** Runs an action on a run that nobody else may be writing. */
  private async during(id: string, action: () => Promise<void>): Promise<void> {
    const open = this.opened.get(id);
    if (open) return open.one(action);
    const release = await this.locks.take(lockName(id), PATIENCE);
    if (!release) throw lockedError();
    try {
      await action();
    } finally {
      release();
    }
  }

  private async noteSave(id: string, { step, val_loss, bytes, state }: SaveSummary): Promise<void> {
    await this.change((entries) =>
      entries.map((e) =>
        e.run === id
          ? {
              ...e,
              step,
              val_loss,
              bytes,
              config: state.config,
              n_params: countParameters(state),
              updated: Date.now(),
              resumable: true,
            }
          : e,
      ),
    );
  }

  private async change(edit: (entries: Entry[]) => Entry[]): Promise<void> {
    await this.locks.hold(INDEX_LOCK, async () =>
      writeSlots(this.fs, INDEX, edit((await this.readIndex()) ?? [])),
    );
  }

  private async readIndex(): Promise<Entry[] | null> {
    const index = await readSlots(this.fs, INDEX);
    if (!Array.isArray(index)) return null;
    return index.flatMap((item) => {
      const entry = v.safeParse(Entry, item);
      return entry.success ? [entry.output] : [];
    });
  }

  /** Entries, with those put back whose folder has a checkpoint and whose entry was lost. */
  private async heal(): Promise<Entry[]> {
    const entries = (await this.readIndex()) ?? [];
    const known = new Set(entries.map((e) => e.run));
    const found: Entry[] = [];
    for (const id of await this.fs.list('runs')) {
      const entry = known.has(id) ? null : await this.lostEntry(id);
      if (entry) found.push(entry);
    }
    if (found.length > 0) await writeSlots(this.fs, INDEX, [...entries, ...found]);
    return [...entries, ...found];
  }

  private async lostEntry(id: string): Promise<Entry | null> {
    const [current] = await readPointer(this.fs, folderOf(id));
    if (!current) return null;
    try {
      const state = readCheckpoint(await readGeneration(this.fs, folderOf(id), current));
      const now = Date.now();
      const bytes = Object.values(current.files).reduce((a, b) => a + b, 0);
      return {
        run: id,
        name: `Recovered ${shorten(id, 12)}`,
        created: now,
        updated: now,
        step: state.step,
        val_loss: state.best_val_loss ?? null,
        n_params: countParameters(state),
        bytes,
        config: state.config,
        resumable: true,
      };
    } catch {
      return null;
    }
  }
}

const folderOf = (id: string) => `runs/${id}`;
const countParameters = ({ model }: Pick<SaveSummary['state'], 'model'>) =>
  listParameters(model).reduce((sum, p) => sum + parameterSize(p), 0);
const lockedError = () =>
  new CheckpointError(
    'run_locked',
    'This run is open already, here or in another tab.',
    'Go on in that tab, or close it first.',
  );

function checkId(id: string): string {
  if (!/^[\w-]{1,64}$/.test(id))
    throw new CheckpointError(
      'run_missing',
      `There can be no run called ${shorten(id, 40)}.`,
      'Choose a run from the list.',
    );
  return id;
}
