/**
 * Metrics on their way from the worker to the page. The table gets every row at once; the run's
 * state, which components draw, changes at most every SHOW_MS.
 */
import type { Event } from '../protocol/index.ts';
import type { MetricTable } from './columns.ts';
import { HeapWatch } from './heap.ts';
import { reduceRun, type RunState } from './run.ts';
import type { RunStateStore } from './stores.ts';
import { epoch } from './epoch.ts';

/** Milliseconds between two changes of the newest step and loss; the first is shown at once. */
const SHOW_MS = 240;

export class MetricsFeed {
  readonly #run: RunStateStore;
  readonly #table: MetricTable;
  /** The worker cannot measure its JavaScript heap; the page measures that of both. */
  readonly #heap: HeapWatch;
  #hidden: Partial<RunState> = {};
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(run: RunStateStore, table: MetricTable) {
    this.#run = run;
    this.#table = table;
    this.#heap = new HeapWatch((bytes) =>
      table.append({
        step: Float64Array.of(run.getState().step),
        js_heap_bytes: Float64Array.of(bytes),
      }),
    );
  }

  take(event: Extract<Event, { type: 'metrics' }>): void {
    this.#table.append(event.columns);
    this.#heap.due();
    const state = this.#run.getState();
    const isFirst = !Number.isFinite(state.loss);
    const change = reduceRun({ ...state, ...this.#hidden }, event);
    this.#hidden = { ...this.#hidden, ...change };
    if (isFirst && Number.isFinite(this.#hidden.loss))
      this.#hidden.start = { ...state.start, first_loss: epoch() - state.pressed };
    this.#timer ??= setTimeout(() => this.show(), isFirst ? 0 : SHOW_MS);
  }

  /** Shows what was taken, so that a later event meets the state that it belongs to. */
  show(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#run.setState(this.#hidden);
    this.#hidden = {};
  }
}
