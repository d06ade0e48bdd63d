/** What the runs take of the storage, and the limit that the user has set on it. */
import * as v from 'valibot';
import { parseMetricLines } from '../metric_columns.ts';
import type { FileSystem } from './file_system.ts';
import { checkId, folderOf, RUNS } from './run_folder.ts';
import { readSlots, removeSlots, writeSlots } from './slots.ts';

const BUDGET = 'budget.json';
const Budget = v.pipe(v.number(), v.minValue(0));
/** Of the metrics' end in which the last evaluation is looked for, in bytes. */
const TAIL_BYTES = 2 ** 16;

export class Space {
  readonly #fs: FileSystem;

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** The limit on the bytes of all runs, which `prune` keeps; null if there is none. */
  async budget(): Promise<number | null> {
    const result = v.safeParse(Budget, await readSlots(this.#fs, BUDGET));
    return result.success ? result.output : null;
  }

  setBudget(bytes: number | null): Promise<void> {
    return bytes === null ? removeSlots(this.#fs, BUDGET) : writeSlots(this.#fs, BUDGET, bytes);
  }

  /** Bytes of all files of each run by id, deleted runs included. */
  async sizes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const [path, bytes] of await this.#fs.sizes(RUNS)) {
      const [id = ''] = path.split('/');
      sizes.set(id, (sizes.get(id) ?? 0) + bytes);
    }
    return sizes;
  }

  /** The validation loss of the last evaluation, or null if there was none lately. */
  async lastValidationLoss(id: string): Promise<number | null> {
    const bytes = await this.#fs.readTail(`${folderOf(checkId(id))}/metrics.jsonl`, TAIL_BYTES);
    if (!bytes) return null;
    const columns = parseMetricLines(new TextDecoder().decode(bytes));
    return columns['val/loss']?.findLast((value) => Number.isFinite(value)) ?? null;
  }
}
