/** Collects what ranks report of each step until all of them have. */
import type { RankStep } from '../../common/index.ts';
import { RECENT_STEPS } from './lab_state.ts';

export class StepTable {
  readonly #size: number;
  /** By step, the reports so far. */
  readonly #waiting = new Map<number, RankStep[]>();
  #recent: readonly (readonly RankStep[])[] = [];

  /** @param size number of ranks */
  constructor(size: number) {
    this.#size = size;
  }

  /** The last steps that all ranks have reported, oldest first. */
  get recent(): readonly (readonly RankStep[])[] {
    return this.#recent;
  }

  /** Returns the reports of all ranks, in their order, once this one completes them; else null. */
  add(report: RankStep): readonly RankStep[] | null {
    const reports = this.#waiting.get(report.step) ?? [];
    reports.push(report);
    this.#waiting.set(report.step, reports);
    if (reports.length < this.#size) return null;
    this.#waiting.delete(report.step);
    const inOrder = reports.sort((a, b) => a.rank - b.rank);
    this.#recent = [...this.#recent, inOrder].slice(-RECENT_STEPS);
    return inOrder;
  }
}
