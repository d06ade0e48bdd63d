/** The library of saved runs, as the page manages it: changes, the budget, backups. */
import {
  CheckpointError,
  prune,
  type JobOptions,
  type Pruned,
  type RunStore,
  type StoredRun,
} from '../checkpoint/index.ts';
import { randomId } from '../common/index.ts';
import { ConfigError } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { BackupCommand, Event, LibraryCommand } from '../protocol/index.ts';
import { prunedSentences, sizeText } from './pruned.ts';

type RunsEvent = Extract<Event, { type: 'runs' }>;

/** The runs, with the bytes of all their files. `notes` say what happened besides. */
export async function listRuns(store: RunStore, notes: string[] = []): Promise<RunsEvent> {
  const sizes = await store.space.sizes();
  const runs = await Promise.all(
    (await worthListing(store)).map(async (run) => ({
      ...run,
      bytes: sizes.get(run.run) ?? 0,
      stage: await checkedStage(run),
      votes: await votesOf(store, run.run),
      last_val_loss: await store.space.lastValidationLoss(run.run),
    })),
  );
  const deleted = await store.trash.list();
  return { type: 'runs', runs, deleted, storage: await store.storage(), notes };
}

/** How many votes on answers of this run are kept. */
async function votesOf(store: RunStore, run: string): Promise<number> {
  const file = await store.records.votes(run);
  return (await file.read()).records.length;
}

/** Null for pretraining, and for settings that only a later version understands. */
async function checkedStage({ stage }: StoredRun): Promise<StageConfig | null> {
  if (!stage) return null;
  const { parseStage } = await import('../config/stage/index.ts');
  try {
    return parseStage(stage);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** A run that took no step before its tab was closed has nothing to come back to: it is left out. */
async function worthListing(store: RunStore): Promise<StoredRun[]> {
  const runs = await store.list();
  const worth = await Promise.all(
    runs.map(async ({ run, resumable, locked }) => {
      if (resumable || locked) return true;
      return (await store.readMetrics(run)).step.length > 0;
    }),
  );
  return runs.filter((_, i) => worth[i]);
}

/**
 * Carries the command out and gives the list of runs after it. A command about several runs does what
 * it can, and the notes say which runs it could not change. Throws CheckpointError.
 */
export async function manageRuns(store: RunStore, command: LibraryCommand): Promise<RunsEvent> {
  const notes = await changeRuns(store, command);
  return { ...(await listRuns(store, notes)), id: command.id };
}

async function changeRuns(store: RunStore, command: LibraryCommand): Promise<string[]> {
  switch (command.type) {
    case 'rename_run':
      await store.rename(command.run, command.name);
      return [];
    case 'duplicate_run':
      await store.duplicate(command.run, randomId(), command.name);
      return prunedSentences(await prune(store));
    case 'delete_runs':
      return deleteRuns(store, command.runs);
    case 'restore_runs':
      return forEach(command.runs, (run) => store.trash.restore(run));
    case 'purge_runs':
      return forEach(command.runs, (run) => store.trash.purge(run));
    case 'set_budget':
      await store.space.setBudget(command.bytes);
      return budgetNotes(await prune(store), command.bytes);
    default:
      return command satisfies never;
  }
}

/** What setting a budget did, also if that is nothing. */
function budgetNotes(pruned: Pruned, bytes: number | null): string[] {
  if (bytes === null) return ['Runs may use all the storage that the browser gives.'];
  const sentences = prunedSentences(pruned);
  if (sentences.length > 0) return sentences;
  return [`The runs are within the budget of ${sizeText(bytes)}, so nothing was removed.`];
}

async function deleteRuns(store: RunStore, runs: readonly string[]): Promise<string[]> {
  const names = new Map((await store.list()).map(({ run, name }) => [run, name]));
  const notes: string[] = [];
  for (const run of runs) {
    const name = names.get(run) ?? 'A run';
    try {
      if (await store.discard(run)) continue;
      notes.push(`“${name}” was deleted for good: storage is too full to keep it for a day.`);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      notes.push(`“${name}” was not deleted: ${error.message} ${error.hint}`);
    }
  }
  return notes;
}

/** Calls `action` with each run, and gives a sentence for each that failed. */
async function forEach(
  runs: readonly string[],
  action: (run: string) => Promise<void>,
): Promise<string[]> {
  const notes = new Set<string>();
  for (const run of runs) {
    try {
      await action(run);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      notes.add(`${error.message} ${error.hint}`);
    }
  }
  return [...notes];
}

/** Backups in progress, by the id of their command. They run beside everything else. */
export class Backups {
  readonly #emit: (event: Event) => void;
  /** A job that was cancelled before it began has one as well. */
  readonly #jobs = new Map<number, AbortController>();

  constructor(emit: (event: Event) => void) {
    this.#emit = emit;
  }

  cancel(job: number): void {
    this.#job(job).abort();
  }

  #job(id: number): AbortController {
    const abort = this.#jobs.get(id) ?? new AbortController();
    this.#jobs.set(id, abort);
    return abort;
  }

  /** Throws CheckpointError, with the code `cancelled` too. */
  async run(
    store: RunStore,
    command: Exclude<BackupCommand, { type: 'cancel_backup' }>,
  ): Promise<Event> {
    const { id } = command;
    const options: JobOptions = {
      signal: this.#job(id).signal,
      progress: throttled((done, total) =>
        this.#emit({ type: 'backup_progress', job: id, done, total }),
      ),
    };
    try {
      if (command.type === 'back_up') {
        const { writeBackup } = await import('../checkpoint/store/backup.ts');
        return { type: 'backup', id, ...(await writeBackup(store, command.runs, options)) };
      }
      const { restoreBackup } = await import('../checkpoint/store/restore_backup.ts');
      const restored = await restoreBackup(store, command.file, options);
      return { type: 'backup_restored', id, ...restored };
    } finally {
      this.#jobs.delete(id);
      // Some runs may have been added even if it failed.
      if (command.type === 'restore_backup') this.#emit(await listRuns(store));
    }
  }
}

const PROGRESS_MS = 100;

/** At most ten times a second, and at the end. */
function throttled(report: JobOptions['progress']): JobOptions['progress'] {
  let last = -Infinity;
  return (done, total) => {
    const now = performance.now();
    if (done < total && now - last < PROGRESS_MS) return;
    last = now;
    report(done, total);
  };
}
