/** Reads all files of a run for a copy outside the storage. */
import type { WeightsChoice } from '../../common/index.ts';
import { readCheckpoint } from '../checkpoint.ts';
import type { ReadState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';
import { FILES } from '../folder.ts';
import { writeLineage } from '../lineage.ts';
import { readBestFiles } from './best.ts';
import type { FileSystem } from './file_system.ts';
import { pointerPath, readGeneration, readPointer, type Generation } from './generations.ts';
import { folderOf, loadLineage } from './run_folder.ts';
import { slotFile } from './slots.ts';
import { isMarker } from './trash.ts';

/** Takes a file of a run by its path in the run's folder. */
export type TakeFile = (path: string, bytes: Uint8Array) => Promise<void>;

const isPointer = (path: string): boolean => path.startsWith('pointer.json.');
const isGeneration = (path: string): boolean => path.startsWith('checkpoint-');

/** Reads every file of the run. Nobody may write to it meanwhile. */
export async function readRun(fs: FileSystem, id: string, take: TakeFile): Promise<void> {
  const folder = folderOf(id);
  for (const path of (await fs.sizes(folder)).keys()) {
    const bytes = isMarker(path) ? null : await fs.read(`${folder}/${path}`);
    if (bytes) await take(path, bytes);
  }
}

/** How often the last checkpoint is read again if another tab replaces it meanwhile. */
const TRIES = 3;

/**
 * Reads a run that another tab may be writing to: its last checkpoint, and the files beside it.
 * Throws `run_missing` if there is no complete checkpoint.
 */
export async function readOpenRun(fs: FileSystem, id: string, take: TakeFile): Promise<void> {
  const folder = folderOf(id);
  const { generation, files } = await lastCheckpoint(fs, folder);
  for (const [name, bytes] of files)
    await take(`checkpoint-${generation.generation}/${name}`, bytes);
  for (const path of (await fs.sizes(folder)).keys()) {
    if (isMarker(path) || isPointer(path) || isGeneration(path)) continue;
    const bytes = await fs.read(`${folder}/${path}`);
    if (bytes) await take(path, bytes);
  }
  const pointer = slotFile({ turn: 1, value: { current: generation, previous: null } });
  await take(`${pointerPath('').slice(1)}.1`, pointer);
}

/** A checkpoint of a run that another tab may be writing to. Throws `run_missing` without one. */
export async function readState(
  fs: FileSystem,
  id: string,
  weights: WeightsChoice,
): Promise<ReadState> {
  const folder = folderOf(id);
  const files =
    weights === 'best' ? await bestFiles(fs, folder) : (await lastCheckpoint(fs, folder)).files;
  if (!files.has(FILES.lineage)) {
    files.set(FILES.lineage, writeLineage(await loadLineage(fs, folder)));
  }
  return readCheckpoint(files);
}

async function bestFiles(fs: FileSystem, folder: string): Promise<Map<string, Uint8Array>> {
  const files = await again(() => readBestFiles(fs, folder));
  if (files) return files;
  throw new CheckpointError(
    'run_missing',
    'This run has no best checkpoint yet.',
    'Train until the next evaluation, or choose the last checkpoint.',
  );
}

async function lastCheckpoint(
  fs: FileSystem,
  folder: string,
): Promise<{ generation: Generation; files: Map<string, Uint8Array> }> {
  return again(async () => {
    const [generation] = await readPointer(fs, folder);
    if (!generation) throw noCheckpoint();
    return { generation, files: await readGeneration(fs, folder, generation) };
  });
}

/** Reads again if another tab replaced the checkpoint meanwhile. */
async function again<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await read();
    } catch (error) {
      const isFinal = !(error instanceof CheckpointError) || error.code === 'run_missing';
      if (isFinal || tries === TRIES) throw error;
    }
  }
}

const noCheckpoint = () =>
  new CheckpointError('run_missing', 'This run has no checkpoint yet.', 'Save it first.');
