/**
 * The checkpoints of a run, called generations. Each is a folder of its own ("checkpoint-12"), and a
 * pointer file names the last good one and the one before it. A generation counts once the pointer
 * names it, so the previous one stays readable whatever happens during a write.
 */
import * as v from 'valibot';
import { CheckpointError } from '../error.ts';
import type { FileSystem } from './file_system.ts';
import { readSlots, writeSlots } from './slots.ts';

/** `files` maps names to lengths in bytes. */
const Generation = v.object({ generation: v.number(), files: v.record(v.string(), v.number()) });
const Pointer = v.object({ current: Generation, previous: v.nullable(Generation) });
export type Generation = v.InferOutput<typeof Generation>;

export const pointerPath = (folder: string): string => `${folder}/pointer.json`;
const generationPath = (folder: string, generation: number) => `${folder}/checkpoint-${generation}`;

const ELSEWHERE =
  'Roll back to its best checkpoint if its menu offers that; otherwise restore a backup of it, or ' +
  'train it again.';

const isFull = (error: unknown): boolean =>
  error instanceof CheckpointError && error.code === 'storage_full';

/** Total length of the files, in bytes. */
export const generationBytes = ({ files }: Generation): number =>
  Object.values(files).reduce((sum, bytes) => sum + bytes, 0);

/** Generations that should be readable, newest first. */
export async function readPointer(fs: FileSystem, folder: string): Promise<Generation[]> {
  const result = v.safeParse(Pointer, await readSlots(fs, pointerPath(folder)));
  if (!result.success) return [];
  const { current, previous } = result.output;
  return previous ? [current, previous] : [current];
}

/**
 * Writes a new generation, moves the pointer, and removes generations that are no longer needed.
 * Returns the bytes written. Throws `storage_full` and others with the last generation untouched.
 */
export async function writeGeneration(
  fs: FileSystem,
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<number> {
  const [current] = await readPointer(fs, folder);
  const generations = await writtenGenerations(fs, folder);
  const written: Generation = {
    generation: Math.max(0, ...generations, current?.generation ?? 0) + 1,
    files: Object.fromEntries([...files].map(([path, bytes]) => [path, bytes.length])),
  };
  const path = generationPath(folder, written.generation);
  await writeMakingRoom(fs, folder, files, path);
  await writeSlots(fs, pointerPath(folder), { current: written, previous: current ?? null });
  await removeOthers(fs, folder, [written.generation, current?.generation]);
  return generationBytes(written);
}

/**
 * Deletes the older of two generations to free space: one checkpoint fewer is better than not
 * saving. Returns false if there is only one.
 */
async function dropOlder(fs: FileSystem, folder: string): Promise<boolean> {
  const [current, previous] = await readPointer(fs, folder);
  if (!current || !previous) return false;
  await writeSlots(fs, pointerPath(folder), { current, previous: null });
  await fs.remove(generationPath(folder, previous.generation));
  return true;
}

/** Like `writeFiles`; if the storage is full, deletes the older generation and tries again. */
export async function writeMakingRoom(
  fs: FileSystem,
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
): Promise<void> {
  try {
    await writeFiles(fs, path, files);
  } catch (error) {
    if (!isFull(error) || !(await dropOlder(fs, folder))) throw error;
    await writeFiles(fs, path, files);
  }
}

/** Writes all files of a folder, or none. */
async function writeFiles(
  fs: FileSystem,
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  try {
    for (const [name, bytes] of files) await fs.write(`${path}/${name}`, bytes);
  } catch (error) {
    await fs.remove(path);
    throw error;
  }
}

async function removeOthers(
  fs: FileSystem,
  folder: string,
  keep: readonly (number | undefined)[],
): Promise<void> {
  for (const generation of await writtenGenerations(fs, folder)) {
    if (!keep.includes(generation)) await fs.remove(generationPath(folder, generation));
  }
}

async function writtenGenerations(fs: FileSystem, folder: string): Promise<number[]> {
  const names = await fs.list(folder);
  return names.flatMap((name) => {
    const match = /^checkpoint-(\d+)$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

/**
 * Reads the files of a generation. Throws `truncated` if one is missing or shorter or longer than
 * what was written.
 */
export async function readGeneration(
  fs: FileSystem,
  folder: string,
  generation: Generation,
): Promise<Map<string, Uint8Array>> {
  const path = generationPath(folder, generation.generation);
  return readFiles(fs, path, generation, ELSEWHERE);
}

/**
 * Reads files of known lengths. Throws `truncated` if one is gone or has another length; `hint` then
 * says what else the user can do with the run.
 */
export async function readFiles(
  fs: FileSystem,
  path: string,
  { files: lengths }: Pick<Generation, 'files'>,
  hint: string,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [name, length] of Object.entries(lengths)) {
    const bytes = await fs.read(`${path}/${name}`);
    if (bytes?.length !== length) throw lost(name, bytes ? 'is damaged in' : 'is gone from', hint);
    files.set(name, bytes);
  }
  return files;
}

const lost = (name: string, what: string, hint: string): CheckpointError =>
  new CheckpointError(
    'truncated',
    `The file ${name} of this run ${what} the storage of this browser.`,
    hint,
  );

/** Reads one file of a generation; null if the generation does not have it. */
export async function readGenerationFile(
  fs: FileSystem,
  folder: string,
  { generation, files }: Generation,
  name: string,
): Promise<Uint8Array | null> {
  if (!Object.hasOwn(files, name)) return null;
  return fs.read(`${generationPath(folder, generation)}/${name}`);
}
