/**
 * Saved runs, the storage that they take, and those whose metrics are laid under the present ones.
 */
import { createStore } from 'zustand/vanilla';
import type { Event, RunRecord, StorageUse } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';

const MAX_OVERLAYS = 4;

export interface LibraryState {
  runs: RunRecord[];
  storage: StorageUse | null;
  /** Whether the worker has answered with a list yet. */
  loaded: boolean;
  /** Tables of overlaid runs by run id; a new Map with every change. */
  overlays: ReadonlyMap<string, MetricTable>;
  /** The saved run whose metrics are shown before a run starts, and the one that was asked for. */
  preview: { run: string; table: MetricTable } | null;
  previewing: string | null;
  /** Deleted on the page and not yet in storage: can be undone. */
  leaving: ReadonlySet<string>;
}

export const createLibrary = () =>
  createStore<LibraryState>(() => ({
    runs: [],
    storage: null,
    loaded: false,
    overlays: new Map(),
    preview: null,
    previewing: null,
    leaving: new Set(),
  }));

export function reduceLibrary(state: LibraryState, event: Event): Partial<LibraryState> {
  if (event.type === 'runs') {
    const runs = [...event.runs].sort((a, b) => b.updated - a.updated);
    return { runs, storage: event.storage, loaded: true };
  }
  if (event.type === 'history') {
    const table = new MetricTable();
    table.append(event.columns);
    if (event.run === state.previewing)
      return { preview: { run: event.run, table }, previewing: null };
    const overlays = new Map(state.overlays).set(event.run, table);
    const oldest = overlays.keys().next().value;
    if (overlays.size > MAX_OVERLAYS && oldest !== undefined) overlays.delete(oldest);
    return { overlays };
  }
  return {};
}

/** Runs as the page shows them: without those that are being deleted. */
export const visibleRuns = (state: LibraryState): RunRecord[] =>
  state.runs.filter((run) => !state.leaving.has(run.run));
