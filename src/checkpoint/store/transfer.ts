/** Copies of whole runs to and from other places than the storage. */
import { CheckpointError } from '../error.ts';
import { adopt, type ForeignRun, type RunStorage } from './adopt.ts';
import { RUNS } from './run_folder.ts';
import { readOpenRun, readRun, type TakeFile } from './snapshot.ts';
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

  /** Adds a run from outside under an unused id. Throws what reading it would throw. */
  adopt(run: ForeignRun): Promise<void> {
    return adopt(this.#storage, run);
  }
}
