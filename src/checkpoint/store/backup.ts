/** Writes runs, with all files of their folders, into one zip file. */
import { Zip, ZipPassThrough } from 'fflate';
import { CheckpointError, shorten } from '../error.ts';
import { BACKUP_MANIFEST } from '../folder.ts';
import type { IndexEntry } from './run_index.ts';
import type { RunStore, StoredRun } from './run_store.ts';

/** Lists the runs of a backup: `{ format, version, created, entries }`. */
export const MANIFEST = BACKUP_MANIFEST;
export const BACKUP_FORMAT = 'terrarium-backup';
export const BACKUP_VERSION = 1;
/** Zip files beyond 4 GB need another format (zip64); some room is left for the directory. */
export const MAX_BACKUP = 0xffff_ffff - 2 ** 24;

/** How a long job is watched and ended. */
export interface JobOptions {
  signal: AbortSignal;
  /** Bytes. */
  progress(done: number, total: number): void;
}

export interface Backup {
  file: Blob;
  runs: number;
  /** One sentence for each run that is not in the file. */
  left_out: string[];
}

/**
 * Reads one file of one run at a time, so memory holds no more than that (and the last checkpoint of
 * a run that another tab has open). Throws `too_large` or `cancelled`.
 */
export async function writeBackup(
  store: RunStore,
  ids: readonly string[],
  options: JobOptions,
): Promise<Backup> {
  const runs = (await store.list()).filter(({ run }) => ids.includes(run));
  const sizes = await store.space.sizes();
  const total = runs.reduce((sum, { run }) => sum + (sizes.get(run) ?? 0), 0);
  if (total > MAX_BACKUP) throw tooLarge();
  const zip = new BlobZip(total, options);
  const entries: IndexEntry[] = [];
  const left_out: string[] = [];
  for (const run of runs) {
    const problem = run.resumable ? await addRun(zip, store, run) : 'it has no checkpoint yet.';
    if (problem === null) entries.push(entryOf(run));
    else left_out.push(`“${shorten(run.name)}” is not in the backup: ${problem}`);
  }
  const manifest = {
    format: BACKUP_FORMAT,
    version: BACKUP_VERSION,
    created: Date.now(),
    entries,
  };
  await zip.add(MANIFEST, new TextEncoder().encode(JSON.stringify(manifest)));
  return { file: zip.end(), runs: entries.length, left_out };
}

/** Why the run could not be read, or null. A part of it may be in the file then, unlisted. */
async function addRun(zip: BlobZip, store: RunStore, { run }: StoredRun): Promise<string | null> {
  try {
    await store.transfer.snapshot(run, (path, bytes) => zip.add(`runs/${run}/${path}`, bytes));
    return null;
  } catch (error) {
    if (!(error instanceof CheckpointError) || error.code === 'cancelled') throw error;
    return error.message;
  }
}

const entryOf = ({ lineage: _, max_iters: __, locked: ___, ...entry }: StoredRun): IndexEntry =>
  entry;

/** Bytes that are packed before other work of the worker gets a turn. */
const TURN_BYTES = 2 ** 22;

/** A zip whose finished parts are handed to the browser, which keeps large Blobs on disk. */
class BlobZip {
  readonly #zip: Zip;
  readonly #parts: Blob[] = [];
  readonly #total: number;
  readonly #options: JobOptions;
  #done = 0;

  constructor(total: number, options: JobOptions) {
    this.#total = total;
    this.#options = options;
    this.#zip = new Zip((error, chunk) => {
      if (error) throw error;
      this.#parts.push(new Blob([chunk.slice()]));
    });
  }

  /** Entries are stored, because float weights hardly compress. Throws `cancelled`. */
  async add(path: string, bytes: Uint8Array): Promise<void> {
    const entry = new ZipPassThrough(path);
    this.#zip.add(entry);
    for (let start = 0; start === 0 || start < bytes.length; start += TURN_BYTES) {
      const chunk = bytes.subarray(start, start + TURN_BYTES);
      entry.push(chunk, start + TURN_BYTES >= bytes.length);
      this.#done += chunk.length;
      this.#options.progress(this.#done, this.#total);
      await turn(this.#options.signal);
    }
  }

  end(): Blob {
    this.#zip.end();
    return new Blob(this.#parts, { type: 'application/zip' });
  }
}

/** Lets other work of the worker run. Throws `cancelled`. */
export async function turn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  if (signal.aborted) {
    throw new CheckpointError('cancelled', 'It was cancelled.', 'Nothing was lost.');
  }
}

const tooLarge = () =>
  new CheckpointError(
    'too_large',
    'The runs are larger than the 4 GB that one backup file can contain.',
    'Select some of them, and back them up in several files.',
  );
