/**
 * Checkpoints of one run, each in a folder of its own ("checkpoint-12"), and a pointer to the last
 * good one and the one before it. A checkpoint counts once the pointer names it: whatever happens
 * during a write, the former one opens.
 */
import * as v from 'valibot';
import { CheckpointError, damaged } from '../error.ts';
import type { FileSystem } from './file_system.ts';
import { readSlots, writeSlots } from './slots.ts';

const Generation = v.object({ generation: v.number(), files: v.record(v.string(), v.number()) });
const Pointer = v.object({ current: Generation, previous: v.nullable(Generation) });
export type Generation = v.InferOutput<typeof Generation>;

const pointerPath = (folder: string) => `${folder}/pointer.json`;
const generationPath = (folder: string, generation: number) => `${folder}/checkpoint-${generation}`;

/** Generations that should open, newest first. */
export async function readPointer(fs: FileSystem, folder: string): Promise<Generation[]> {
  const result = v.safeParse(Pointer, await readSlots(fs, pointerPath(folder)));
  return result.success
    ? [result.output.current, ...(result.output.previous ? [result.output.previous] : [])]
    : [];
}

/**
 * Writes a new generation, then moves the pointer. Returns its bytes. Throws `storage_full` with
 * the last one untouched.
 */
export async function writeGeneration(
  fs: FileSystem,
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<number> {
  const [current, previous] = await readPointer(fs, folder);
  const generation =
    Math.max(0, ...(await writtenGenerations(fs, folder)), current?.generation ?? 0) + 1;
  const written = {
    generation,
    files: Object.fromEntries([...files].map(([path, bytes]) => [path, bytes.length])),
  };
  try {
    await writeFiles(fs, folder, generation, files);
  } catch (error) {
    // Rather the last checkpoint alone than none of this step: the one before it makes room.
    if (!(error instanceof CheckpointError && error.code === 'storage_full' && current && previous))
      throw error;
    await writeSlots(fs, pointerPath(folder), { current, previous: null });
    await fs.remove(generationPath(folder, previous.generation));
    await writeFiles(fs, folder, generation, files);
  }
  await writeSlots(fs, pointerPath(folder), { current: written, previous: current ?? null });
  const keep = [generation, current?.generation];
  for (const old of await writtenGenerations(fs, folder))
    if (!keep.includes(old)) await fs.remove(generationPath(folder, old));
  return Object.values(written.files).reduce((a, b) => a + b, 0);
}

async function writeFiles(
  fs: FileSystem,
  folder: string,
  generation: number,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const path = generationPath(folder, generation);
  try {
    for (const [name, bytes] of files) await fs.write(`${path}/${name}`, bytes);
  } catch (error) {
    await fs.remove(path);
    throw error;
  }
}

async function writtenGenerations(fs: FileSystem, folder: string): Promise<number[]> {
  return (await fs.list(folder)).flatMap((name) => {
    const found = /^checkpoint-(\d+)$/.exec(name);
    return found ? [Number(found[1])] : [];
  });
}

/**
 * The files of a generation. Throws `truncated` where one is missing or has another length than was
 * written.
 */
export async function readGeneration(
  fs: FileSystem,
  folder: string,
  { generation, files }: Generation,
): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>();
  for (const [name, length] of Object.entries(files)) {
    const bytes = await fs.read(`${generationPath(folder, generation)}/${name}`);
    if (bytes?.length !== length) throw damaged('truncated', name, 'it was not written to its end');
    out.set(name, bytes);
  }
  return out;
}
