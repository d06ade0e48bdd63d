/** Removing the checkpoint before the last one, which only serves if the last one is damaged. */
import type { FileSystem } from './file_system.ts';
import { pointerPath, readPointer, type Generation } from './generations.ts';
import { folderOf } from './run_folder.ts';
import { writeSlots } from './slots.ts';

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
