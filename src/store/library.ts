/** The library: saved and deleted runs, the storage that they take, and metrics of saved runs. */
import { createStore } from 'zustand/vanilla';
import type { DeletedRecord, Event, PlainError, RunRecord, StorageUse } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';

/** Most runs that are overlaid on the charts. */
export const MAX_OVERLAYS = 4;

/** A backup that is being written or read, or what came of the last one. */
export interface BackupState {
  kind: 'write' | 'read';
  /** Bytes; null when it is over. */
  progress: { done: number; total: number } | null;
  /** What came of it, one sentence each. */
  outcome: string[];
  failed: boolean;
}

export interface LibraryState {
  runs: RunRecord[];
  /** Runs that were deleted and can be restored, the last one first. */
  deleted: DeletedRecord[];
  storage: StorageUse | null;
  /** Whether the worker has answered with a list yet. */
  loaded: boolean;
  /** Tables of overlaid runs by run id; a new Map with every change. */
  overlays: ReadonlyMap<string, MetricTable>;
  /** The saved run whose metrics are shown before a run starts. */
  preview: { run: string; table: MetricTable } | null;
  /** Tables of compared runs by run id; a new Map with every change. */
  histories: ReadonlyMap<string, MetricTable>;
  /** What happened with the last change, besides what was asked for. */
  notes: string[];
  /** Why the last change failed; null once one succeeds. */
  problem: PlainError | null;
  backup: BackupState | null;
}

export const createLibrary = () =>
  createStore<LibraryState>(() => ({
    runs: [],
    deleted: [],
    storage: null,
    loaded: false,
    overlays: new Map(),
    preview: null,
    histories: new Map(),
    notes: [],
    problem: null,
    backup: null,
  }));
export type LibraryStore = ReturnType<typeof createLibrary>;

export function reduceLibrary({ backup }: LibraryState, event: Event): Partial<LibraryState> {
  if (event.type === 'runs') {
    const { deleted, storage } = event;
    const runs = [...event.runs].sort((a, b) => b.updated - a.updated);
    return { runs, deleted, storage, loaded: true };
  }
  if (event.type === 'backup_progress' && backup) {
    const { done, total } = event;
    return { backup: { ...backup, progress: { done, total } } };
  }
  return {};
}

/** At most `MAX_OVERLAYS` overlays; the oldest gives way. */
export function withOverlay(
  overlays: ReadonlyMap<string, MetricTable>,
  run: string,
  table: MetricTable,
): ReadonlyMap<string, MetricTable> {
  const next = new Map(overlays).set(run, table);
  const [oldest] = next.keys();
  if (next.size > MAX_OVERLAYS && oldest !== undefined) next.delete(oldest);
  return next;
}
