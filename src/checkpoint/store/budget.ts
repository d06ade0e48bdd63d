/**
 * A limit that the user sets on the bytes of all runs, and what is removed to keep it: deleted runs,
 * and the checkpoint before the last one, which only serves if the last one is damaged. The last
 * checkpoint, the best one and the optimizer's state are never removed.
 */
import * as v from 'valibot';
import type { FileSystem } from './file_system.ts';
import { pointerPath, readPointer, type Generation } from './generations.ts';
import { folderOf, RUNS } from './run_folder.ts';
import { readSlots, removeSlots, writeSlots } from './slots.ts';

const BUDGET = 'budget.json';
const Budget = v.pipe(v.number(), v.minValue(0));

/** Bytes, or null if there is no limit. */
export async function readBudget(fs: FileSystem): Promise<number | null> {
  const result = v.safeParse(Budget, await readSlots(fs, BUDGET));
  return result.success ? result.output : null;
}

export const writeBudget = (fs: FileSystem, bytes: number | null): Promise<void> =>
  bytes === null ? removeSlots(fs, BUDGET) : writeSlots(fs, BUDGET, bytes);

/** Bytes of each run's folder by id, deleted runs included. */
export async function runSizes(fs: FileSystem): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const [path, bytes] of await fs.sizes(RUNS)) {
    const [id = ''] = path.split('/');
    sizes.set(id, (sizes.get(id) ?? 0) + bytes);
  }
  return sizes;
}

/**
 * Removes the checkpoint before the last one if the last one is complete. Returns the bytes freed.
 * Nobody else may write to the run meanwhile.
 */
export async function dropPrevious(fs: FileSystem, id: string): Promise<number> {
  const folder = folderOf(id);
  const [current, previous] = await readPointer(fs, folder);
  if (!current || !previous) return 0;
  const sizes = await fs.sizes(folder);
  if (!isComplete(current, sizes)) return 0;
  // Shorter than the pointer that it replaces, so it fits into a full storage.
  await writeSlots(fs, pointerPath(folder), { current, previous: null });
  await fs.remove(`${folder}/checkpoint-${previous.generation}`);
  return Object.entries(previous.files).reduce(
    (sum, [name]) => sum + (sizes.get(`checkpoint-${previous.generation}/${name}`) ?? 0),
    0,
  );
}

const isComplete = ({ generation, files }: Generation, sizes: ReadonlyMap<string, number>) =>
  Object.entries(files).every(
    ([name, length]) => sizes.get(`checkpoint-${generation}/${name}`) === length,
  );
