/** Collects the reports of a step until all ranks have sent theirs. */
import type { RankStep } from '../../common/index.ts';
import { RECENT_STEPS } from './lab_state.ts';

export class StepTable {
  readonly #size: number;
  /** Reports of incomplete steps, by step. */
  readonly #incomplete = new Map<number, RankStep[]>();
  #recent: readonly (readonly RankStep[])[] = [];

  /** @param size number of ranks */
  constructor(size: number) {
    this.#size = size;
  }

  /** The last steps that all ranks have reported, oldest first. */
  get recent(): readonly (readonly RankStep[])[] {
    return this.#recent;
  }

  /** Returns the reports of all ranks, by rank, if this one completes the step; otherwise null. */
  add(report: RankStep): readonly RankStep[] | null {
    const reports = this.#incomplete.get(report.step) ?? [];
    reports.push(report);
    this.#incomplete.set(report.step, reports);
    if (reports.length < this.#size) return null;
    this.#incomplete.delete(report.step);
    const inOrder = reports.sort((a, b) => a.rank - b.rank);
    this.#recent = [...this.#recent, inOrder].slice(-RECENT_STEPS);
    return inOrder;
  }
}
