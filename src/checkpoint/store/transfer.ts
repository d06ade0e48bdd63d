/** Runs that are read without being opened: copies to and from other places, and models to look at. */
import type { OwnText, WeightsChoice } from '../../common/index.ts';
import type { ReadState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';
import { adopt, type ForeignRun, type RunStorage } from './adopt.ts';
import { folderOf, RUNS } from './run_folder.ts';
import { loadText } from './run_text.ts';
import { readOpenRun, readRun, readState, type TakeFile } from './snapshot.ts';
import type { Exclusively } from './trash.ts';

export class RunTransfer {
  readonly #storage: RunStorage;
  readonly #exclusively: Exclusively;

  constructor({ exclusively, ...storage }: RunStorage & { exclusively: Exclusively }) {
    this.#storage = storage;
    this.#exclusively = exclusively;
  }

  /** Ids that are taken, by deleted runs too. */
  async ids(): Promise<Set<string>> {
    const { fs, index } = this.#storage;
    const entries = await index.entries();
    return new Set([...entries.map(({ run }) => run), ...(await fs.list(RUNS))]);
  }

  /** Reads all files of a run; of one that another tab has open, only its last checkpoint. */
  async snapshot(id: string, take: TakeFile): Promise<void> {
    const { fs, index } = this.#storage;
    const { run } = await index.entry(id);
    try {
      await this.#exclusively(run, () => readRun(fs, run, take));
    } catch (error) {
      if (!(error instanceof CheckpointError && error.code === 'run_locked')) throw error;
      await readOpenRun(fs, run, take);
    }
  }

  /**
   * A checkpoint of a run, which any tab may have open. Throws `run_missing` if the run or the
   * checkpoint does not exist, and what reading it throws.
   */
  async state(id: string, weights: WeightsChoice): Promise<ReadState> {
    const { fs, index } = this.#storage;
    const { run } = await index.entry(id);
    return readState(fs, run, weights);
  }

  /** The user's own text of a run; null if it has none. Throws `run_missing`. */
  async text(id: string): Promise<OwnText | null> {
    const { fs, index } = this.#storage;
    const { run } = await index.entry(id);
    return loadText(fs, folderOf(run));
  }

  /** Adds a run from outside under an unused id. Throws what reading it would throw. */
  adopt(run: ForeignRun): Promise<void> {
    return adopt(this.#storage, run);
  }
}
