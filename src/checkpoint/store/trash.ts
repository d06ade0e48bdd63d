/**
 * Deleted runs, which can be restored for a day. A deleted run keeps its folder; a marker in it holds
 * the index entry and the pointer, which are removed. So every version of the page, and a page that
 * crashes in the middle, sees either a whole run or none.
 */
import * as v from 'valibot';
import { CheckpointError } from '../error.ts';
import { dropPrevious } from './drop_previous.ts';
import type { FileSystem } from './file_system.ts';
import { pointerPath } from './generations.ts';
import { checkId, folderOf, RUNS } from './run_folder.ts';
import { IndexEntry, type RunIndex } from './run_index.ts';
import { readSlots, removeSlots, writeSlots } from './slots.ts';

/** How long a deleted run can be restored, in ms. */
export const KEPT_MS = 24 * 60 * 60 * 1000;

/** `entry` is null for a folder that never became a run, such as an interrupted restore. */
const Marker = v.object({
  deleted: v.number(),
  entry: v.nullable(IndexEntry),
  pointer: v.unknown(),
});
type Marker = v.InferOutput<typeof Marker>;

/** A deleted run, as the list shows it. `deleted` is in milliseconds since 1970. */
export interface DeletedRun {
  run: string;
  name: string;
  deleted: number;
  /** All files of its folder. */
  bytes: number;
}

const MARKER = 'trash.json';
const markerPath = (id: string) => `${folderOf(id)}/${MARKER}`;

/** Whether a file of a run's folder marks it as deleted. */
export const isMarker = (name: string): boolean => name.startsWith(`${MARKER}.`);

/** Runs an action while nobody else writes to the run. */
export type Exclusively = (id: string, action: () => Promise<void>) => Promise<void>;

export class Trash {
  readonly #fs: FileSystem;
  readonly #index: RunIndex;
  readonly #exclusively: Exclusively;

  constructor(fs: FileSystem, index: RunIndex, exclusively: Exclusively) {
    this.#fs = fs;
    this.#index = index;
    this.#exclusively = exclusively;
  }

  /**
   * Deletes a run so that it can be restored. Returns false, and changes nothing that matters, if
   * storage is too full for the marker. Throws `run_missing` or `run_locked`.
   */
  async put(id: string): Promise<boolean> {
    const entry = await this.#index.entry(id);
    let marked = false;
    await this.#exclusively(id, async () => {
      marked = await this.#mark(id, entry);
      if (!marked) return;
      // If the tab closes between these two, the pointer brings the run back. Under one lock, because
      // a list in another tab would bring it back as well.
      await this.#index.change(
        (entries) => entries.filter(({ run }) => run !== id),
        () => removeSlots(this.#fs, pointerPath(folderOf(id))),
      );
    });
    return marked;
  }

  async #mark(id: string, entry: IndexEntry): Promise<boolean> {
    const pointer = await readSlots(this.#fs, pointerPath(folderOf(id)));
    const marker: Marker = { deleted: Date.now(), entry, pointer };
    if (await this.#fits(id, marker)) return true;
    // The run that is being deleted can spare the checkpoint before its last one.
    await dropPrevious(this.#fs, id);
    const rest = await readSlots(this.#fs, pointerPath(folderOf(id)));
    return this.#fits(id, { ...marker, pointer: rest });
  }

  async #fits(id: string, marker: Marker): Promise<boolean> {
    try {
      await writeSlots(this.#fs, markerPath(id), marker);
      return true;
    } catch (error) {
      if (error instanceof CheckpointError && error.code === 'storage_full') return false;
      throw error;
    }
  }

  /** Undoes `put`. Throws `run_missing` if the run was removed for good meanwhile. */
  async restore(id: string): Promise<void> {
    await this.#exclusively(checkId(id), async () => {
      const marker = await this.#marker(id);
      const { entry } = marker ?? { entry: null };
      if (!marker || !entry) throw removedForGood();
      if (marker.pointer !== null) {
        await writeSlots(this.#fs, pointerPath(folderOf(id)), marker.pointer);
      }
      await this.#index.change((entries) => [...entries.filter(({ run }) => run !== id), entry]);
      await removeSlots(this.#fs, markerPath(id));
    });
  }

  /** Removes a deleted run for good. Does nothing to a run that is not deleted. */
  async purge(id: string): Promise<void> {
    await this.#exclusively(checkId(id), () => this.#remove(id));
  }

  /** Deleted runs, the last one first. Those that were kept long enough are removed for good. */
  async list(now = Date.now()): Promise<DeletedRun[]> {
    const known = new Set((await this.#index.entries()).map(({ run }) => run));
    const deleted: DeletedRun[] = [];
    for (const id of await this.#fs.list(RUNS)) {
      const marker = known.has(id) ? null : await this.#marker(id);
      if (!marker) continue;
      if (now - marker.deleted > KEPT_MS) {
        await this.#purgeUnlessLocked(id);
        continue;
      }
      const sizes = await this.#fs.sizes(folderOf(id));
      const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      const { entry } = marker;
      if (entry) deleted.push({ run: id, name: entry.name, deleted: marker.deleted, bytes });
    }
    return deleted.sort((a, b) => b.deleted - a.deleted);
  }

  /** Marks a new folder as one to remove, until `settle` says that it has become a run. */
  async begin(id: string): Promise<void> {
    const marker: Marker = { deleted: Date.now(), entry: null, pointer: null };
    await writeSlots(this.#fs, markerPath(id), marker);
  }

  async settle(id: string): Promise<void> {
    await removeSlots(this.#fs, markerPath(id));
  }

  async #marker(id: string): Promise<Marker | null> {
    const result = v.safeParse(Marker, await readSlots(this.#fs, markerPath(id)));
    return result.success ? result.output : null;
  }

  async #purgeUnlessLocked(id: string): Promise<void> {
    try {
      await this.purge(id);
    } catch (error) {
      if (!(error instanceof CheckpointError && error.code === 'run_locked')) throw error;
    }
  }

  /** The marker goes last: if the tab closes meanwhile, the rest is removed later. */
  async #remove(id: string): Promise<void> {
    const folder = folderOf(id);
    const isRun = (await this.#index.entries()).some(({ run }) => run === id);
    if (isRun || !(await this.#marker(id))) return;
    for (const name of await this.#fs.list(folder)) {
      if (!isMarker(name)) await this.#fs.remove(`${folder}/${name}`);
    }
    await this.#fs.remove(folder);
  }
}

const removedForGood = () =>
  new CheckpointError(
    'run_missing',
    'This run was removed for good and cannot be restored.',
    'Another tab may have emptied the deleted runs.',
  );
