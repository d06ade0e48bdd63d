/** What the ranks of the lab report: steps, metrics and memory, and what the store shows of them. */
import type { MetricColumns, MetricRow, RankStep } from '../../common/index.ts';
import type { RankEvent } from '../../protocol/index.ts';
import { MetricTable } from '../columns.ts';
import type { LabRank, LabStore } from './lab_state.ts';
import { StepTable } from './step_table.ts';

/** Milliseconds between two updates of the store at least. */
const REFRESH_MS = 250;

type StepEvent = Extract<RankEvent, { type: 'rank_step' }>;

/** Called when all ranks have taken a step, with the objective's metrics. */
export type Stepped = (reports: readonly RankStep[], metrics: MetricRow) => void;

export class LabReports {
  /** Metrics by step. Mutable; its `version` rises with every change. */
  readonly table = new MetricTable();
  readonly #store: LabStore;
  readonly #stepped: Stepped | undefined;
  /** By step, the objective's metrics of steps that not all ranks have reported. */
  readonly #rows = new Map<number, MetricRow>();
  readonly #memory = new Map<number, LabRank['memory']>();
  #steps = new StepTable(1);
  #refresh: ReturnType<typeof setTimeout> | null = null;

  constructor(store: LabStore, stepped?: Stepped) {
    this.#store = store;
    this.#stepped = stepped;
  }

  /** Forgets the run before; the next one has this many ranks. */
  begin(size: number): void {
    this.end();
    this.table.clear();
    this.#steps = new StepTable(size);
  }

  add({ step, memory, metrics }: StepEvent): void {
    if (metrics) {
      this.record(metrics);
      this.#rows.set(step.step, metrics);
    }
    this.#memory.set(step.rank, memory);
    const reports = this.#steps.add(step);
    if (!reports) return;
    this.#stepped?.(reports, this.#rows.get(step.step) ?? { step: step.step });
    this.#rows.delete(step.step);
    this.#refresh ??= setTimeout(() => this.show(), REFRESH_MS);
  }

  record({ step, ...metrics }: MetricRow): void {
    const columns: MetricColumns = { step: Float64Array.of(step) };
    for (const [name, value] of Object.entries(metrics)) {
      if (value !== undefined) columns[name] = Float64Array.of(value);
    }
    this.table.append(columns);
  }

  /** Brings the store up to date with what the ranks have reported. */
  show(): void {
    this.#stopRefresh();
    const { recent } = this.#steps;
    this.#store.setState(({ ranks, step }) => ({
      recent,
      step: Math.max(step, recent.at(-1)?.[0]?.step ?? 0),
      ranks: ranks.map((rank) => ({ ...rank, memory: this.#memory.get(rank.rank) ?? rank.memory })),
    }));
  }

  end(): void {
    this.#stopRefresh();
    this.#memory.clear();
    this.#rows.clear();
  }

  #stopRefresh(): void {
    if (this.#refresh !== null) clearTimeout(this.#refresh);
    this.#refresh = null;
  }
}
