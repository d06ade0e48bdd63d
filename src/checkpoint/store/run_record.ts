/**
 * What a folder says about its run beside checkpoints and metrics. An open run keeps all of it in
 * memory: storage may be full when the run is created, and the files may disappear while it trains,
 * because the user clears the data of the site.
 */
import type { Lineage, OwnText, RolloutRecord, RunView } from '../../common/index.ts';
import { ROLLOUTS } from '../record_lines.ts';
import type { FileSystem } from './file_system.ts';
import { pointerPath } from './generations.ts';
import { inTurn, RecordFile } from './record_file.ts';
import { folderOf, saveLineage, saveName } from './run_folder.ts';
import type { IndexEntry, RunIndex } from './run_index.ts';
import type { RunRecords } from './run_records.ts';
import { saveRecipe, saveView, type StoredRecipe } from './run_notes.ts';
import { saveText } from './run_text.ts';
import { readSlots } from './slots.ts';

export interface RecordedFacts {
  /** As the run was created or opened. */
  entry: IndexEntry;
  lineage: Lineage;
}

export class RunRecord {
  /** The person's own text, if the run has one. */
  text: OwnText | null = null;
  recipe: StoredRecipe | null = null;
  view: RunView | null = null;
  /** Whether storage has had all of this. */
  wasStored = true;
  /** Answers that were sampled for training. */
  readonly rollouts: RecordFile<RolloutRecord>;
  /** Records that any tab may add to. */
  readonly records: RunRecords;
  readonly #fs: FileSystem;
  readonly #index: RunIndex;
  readonly #lineage: Lineage;
  #entry: IndexEntry;

  constructor(
    fs: FileSystem,
    index: RunIndex,
    records: RunRecords,
    { entry, lineage }: RecordedFacts,
  ) {
    this.#fs = fs;
    this.#index = index;
    this.#entry = entry;
    this.#lineage = lineage;
    this.records = records;
    this.rollouts = new RecordFile(fs, folderOf(entry.run), ROLLOUTS, inTurn());
  }

  get folder(): string {
    return folderOf(this.#entry.run);
  }

  rename(name: string): void {
    this.#entry = { ...this.#entry, name };
  }

  /** Whether storage has the run now: its lineage, or at least a checkpoint of an earlier version. */
  async isStored(): Promise<boolean> {
    if (!this.wasStored) return false;
    const { folder } = this;
    const lineage = await readSlots(this.#fs, `${folder}/lineage.json`);
    return lineage !== null || (await readSlots(this.#fs, pointerPath(folder))) !== null;
  }

  /** Writes the text, the recipe, the view, the lineage, the name and the index entry. Throws `storage_*`. */
  async write(): Promise<void> {
    const { folder, text, recipe, view } = this;
    const { run, name, created } = this.#entry;
    if (text) await saveText(this.#fs, folder, text);
    if (recipe) await saveRecipe(this.#fs, folder, recipe);
    if (view) await saveView(this.#fs, folder, view);
    await saveName(this.#fs, folder, { name, created });
    await this.#index.change((entries) =>
      entries.some((entry) => entry.run === run) ? entries : [...entries, this.#entry],
    );
    // Last, because it says that the run is stored.
    await saveLineage(this.#fs, folder, this.#lineage);
    this.wasStored = true;
  }
}
