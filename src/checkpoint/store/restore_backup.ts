/** Reads a backup file, which is untrusted, and adds its runs to the library. */
import { randomId } from '../../common/index.ts';
import * as v from 'valibot';
import { crc32 } from '../crc32.ts';
import { CheckpointError, damaged, shorten } from '../error.ts';
import { parseJson } from '../json.ts';
import {
  BACKUP_FORMAT,
  BACKUP_VERSION,
  MANIFEST,
  MAX_BACKUP,
  turn,
  type JobOptions,
} from './backup.ts';
import { readDirectory, readEntry, type BlobEntry } from './blob_zip.ts';
import { IndexEntry } from './run_index.ts';
import type { RunStore } from './run_store.ts';
import { isMarker } from './trash.ts';

const NAME = 'The backup file';
const MAX_FILES = 20_000;
const MAX_MANIFEST = 2 ** 24;
const MAX_RUNS = 2_000;

const Manifest = v.object({
  format: v.literal(BACKUP_FORMAT),
  version: v.number(),
  entries: v.pipe(v.array(v.unknown()), v.maxLength(MAX_RUNS)),
});

export interface Restored {
  added: number;
  /** Runs that are here already. */
  equal: number;
  /** One sentence for each run that was not added. */
  left_out: string[];
}

/** A file of a run: its path in the run's folder, and where it is in the zip. */
interface RunFile {
  path: string;
  entry: BlobEntry;
}

/**
 * Adds the runs of a backup, one after the other. Nothing is overwritten: a run that is here already,
 * with equal files, is skipped, and one whose id is taken gets a new id. Runs that cannot be read are
 * left out. Throws if the file is no backup, if storage is full, or `cancelled`; runs that were added
 * before stay.
 */
export async function restoreBackup(
  store: RunStore,
  file: Blob,
  options: JobOptions,
): Promise<Restored> {
  const { entries, files } = await readBackup(file);
  const total = [...files.values()].flat().reduce((sum, { entry }) => sum + entry.size, 0);
  if (total > MAX_BACKUP) throw damaged('zip_bomb', NAME, 'it unpacks to more than 4 GB');
  await checkSpace(store, total);
  const restored: Restored = { added: 0, equal: 0, left_out: [] };
  let done = 0;
  const read = async ({ entry }: RunFile): Promise<Uint8Array> => {
    await turn(options.signal);
    const bytes = await readEntry(file, entry, NAME);
    done += bytes.length;
    options.progress(Math.min(done, total), total);
    return bytes;
  };
  for (const item of entries) {
    const parsed = v.safeParse(IndexEntry, item);
    if (!parsed.success) {
      restored.left_out.push('A run was left out: its description in the backup cannot be read.');
      continue;
    }
    await addRun({ store, files, read, restored }, parsed.output);
  }
  return restored;
}

interface Restoring {
  store: RunStore;
  files: ReadonlyMap<string, readonly RunFile[]>;
  read: (file: RunFile) => Promise<Uint8Array>;
  restored: Restored;
}

async function addRun(
  { store, files, read, restored }: Restoring,
  entry: IndexEntry,
): Promise<void> {
  const own = files.get(entry.run) ?? [];
  try {
    const ids = await store.transfer.ids();
    if (ids.has(entry.run) && (await isEqual(store, entry.run, own))) {
      restored.equal += 1;
      return;
    }
    const run = ids.has(entry.run) ? randomId() : entry.run;
    await store.transfer.adopt({
      entry: { ...entry, run },
      files: own.map((file) => ({ path: file.path, read: () => read(file) })),
    });
    restored.added += 1;
  } catch (error) {
    if (error instanceof CheckpointError && endsAll(error)) throw error;
    // One damaged run does not keep the others out, whatever reading it has thrown.
    const why = error instanceof CheckpointError ? error.message : 'its files cannot be read.';
    restored.left_out.push(`“${shorten(entry.name)}” was left out: ${why}`);
  }
}

const endsAll = ({ code }: CheckpointError): boolean =>
  code === 'cancelled' || code.startsWith('storage_');

/** Whether a run in storage has exactly these files; it may have been renamed. */
async function isEqual(store: RunStore, id: string, files: readonly RunFile[]): Promise<boolean> {
  const missing = new Map(files.map(({ path, entry }) => [path, entry]));
  const forget = /^name\.json\./;
  for (const path of missing.keys()) if (forget.test(path)) missing.delete(path);
  let equal = true;
  try {
    await store.transfer.snapshot(id, async (path, bytes) => {
      if (forget.test(path)) return;
      const entry = missing.get(path);
      missing.delete(path);
      equal &&= entry?.size === bytes.length && entry.crc === crc32(bytes);
    });
  } catch (error) {
    // The id belongs to a deleted run.
    if (error instanceof CheckpointError && error.code === 'run_missing') return false;
    throw error;
  }
  return equal && missing.size === 0;
}

async function checkSpace(store: RunStore, needed: number): Promise<void> {
  const { used, quota } = await store.storage();
  if (quota === null || used + needed <= quota) return;
  throw new CheckpointError(
    'storage_full',
    'The browser has not enough storage left for this backup.',
    'Delete runs that you no longer need, or restore it in another browser.',
  );
}

const MANIFEST_PATH = new RegExp(`^(.*/)?${MANIFEST.replace('.', '\\.')}$`, 'u');
const RUN_FILE = /^runs\/([\w-]{1,64})\/((?:[\w-]{1,64}\/)?\w[\w.-]{0,99})$/;

/** The listed runs, unchecked, and the files of each by its id. */
async function readBackup(
  file: Blob,
): Promise<{ entries: unknown[]; files: Map<string, RunFile[]> }> {
  const directory = await readDirectory(file, NAME);
  if (directory.length > MAX_FILES) throw damaged('bad_zip', NAME, 'it lists too many files');
  const manifest = directory.find(({ path }) => MANIFEST_PATH.test(path));
  if (!manifest || manifest.size > MAX_MANIFEST) throw notABackup();
  const prefix = manifest.path.slice(0, -MANIFEST.length);
  const files = new Map<string, RunFile[]>();
  for (const entry of directory) {
    // Folders and the metadata that macOS adds, if another program has packed the files again.
    const isExtra = entry.path.endsWith('/') || entry.path.startsWith('__MACOSX/');
    if (isExtra || entry === manifest) continue;
    const { id, path } = runFile(entry, prefix);
    if (isMarker(path)) continue;
    const own = files.get(id) ?? [];
    own.push({ path, entry });
    files.set(id, own);
  }
  return { entries: readManifest(await readEntry(file, manifest, NAME)), files };
}

function runFile({ path }: BlobEntry, prefix: string): { id: string; path: string } {
  const match = path.startsWith(prefix) ? RUN_FILE.exec(path.slice(prefix.length)) : null;
  const [, id, inside] = match ?? [];
  if (id !== undefined && inside !== undefined) return { id, path: inside };
  throw new CheckpointError(
    'unsafe_path',
    `${NAME} contains a file that does not belong to a run: ${shorten(path)}.`,
    'Do not use this file. Make the backup again.',
  );
}

function readManifest(bytes: Uint8Array): unknown[] {
  const result = v.safeParse(Manifest, parseJson(bytes, MANIFEST));
  if (!result.success) throw notABackup();
  if (result.output.version > BACKUP_VERSION) {
    throw new CheckpointError(
      'unknown_version',
      'The backup was made by a later version of this page.',
      'Reload the page to get the newest version.',
    );
  }
  return result.output.entries;
}

const notABackup = () =>
  new CheckpointError(
    'bad_zip',
    'This file is not a backup of runs.',
    'Choose a file that “Back up” has made; a single model is opened with “Import model”.',
  );
