/** Takes the files of a run that came from outside, such as a backup, into storage. */
import { readCheckpoint } from '../checkpoint.ts';
import { CheckpointError, shorten } from '../error.ts';
import { MemoryFileSystem, type FileSystem } from './file_system.ts';
import { readGeneration, readPointer } from './generations.ts';
import { readMetrics } from './metrics_file.ts';
import { checkId, folderOf, loadLineage, saveName } from './run_folder.ts';
import { countParameters, type IndexEntry, type RunIndex } from './run_index.ts';
import type { Trash } from './trash.ts';

export interface ForeignRun {
  /** What the list says about it. Facts that its checkpoint has are read from there. */
  entry: IndexEntry;
  /** Paths in the run's folder; `read` gives the content. */
  files: readonly { path: string; read: () => Promise<Uint8Array> }[];
}

export interface RunStorage {
  fs: FileSystem;
  index: RunIndex;
  trash: Trash;
}

const MAX_NAME = 80;
const isPointer = (path: string): boolean => path.startsWith('pointer.json.');

/**
 * Adds the run under the id of its entry, which must be unused. Its last checkpoint, its metrics and
 * its lineage are read as if they were opened; whatever they throw leaves nothing behind.
 */
export async function adopt(storage: RunStorage, { entry, files }: ForeignRun): Promise<void> {
  const { fs, index, trash } = storage;
  const folder = folderOf(checkId(entry.run));
  await trash.begin(entry.run);
  try {
    const pointers = new MemoryFileSystem();
    for (const { path, read } of files) {
      await (isPointer(path) ? pointers : fs).write(`${folder}/${path}`, await read());
    }
    const adopted = await readEntry(fs, pointers, entry);
    await saveName(fs, folder, { name: adopted.name, created: adopted.created });
    for (const [path, bytes] of pointers.files) await fs.write(path, bytes);
    await index.change((entries) => [...entries.filter(({ run }) => run !== entry.run), adopted]);
    await trash.settle(entry.run);
  } catch (error) {
    await fs.remove(folder);
    throw error;
  }
}

async function readEntry(
  fs: FileSystem,
  pointers: FileSystem,
  entry: IndexEntry,
): Promise<IndexEntry> {
  const folder = folderOf(entry.run);
  const [current] = await readPointer(pointers, folder);
  if (!current) {
    throw new CheckpointError('missing_file', 'It has no checkpoint.', 'Save the run first.');
  }
  const state = readCheckpoint(await readGeneration(fs, folder, current));
  await readMetrics(fs, folder);
  await loadLineage(fs, folder);
  return {
    ...entry,
    name: shorten(entry.name, MAX_NAME),
    step: state.step,
    val_loss: state.best_val_loss ?? null,
    n_params: countParameters(state),
    config: state.config,
    resumable: true,
  };
}
