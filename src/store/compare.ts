/** The state of the Compare view. Its words are in `compare_table.ts`. */
import { createStore } from 'zustand/vanilla';
import type { BackendName } from '../config/index.ts';
import type { CompareMode, ComparisonRow } from '../protocol/index.ts';

/** One way to train: a row of the comparison. */
export interface Contender {
  backend: BackendName;
  mode: CompareMode;
}

export interface CompareState {
  running: Contender | null;
  detail: string;
  rows: ComparisonRow[];
}
export const createCompare = () =>
  createStore<CompareState>(() => ({ running: null, detail: '', rows: [] }));
export type CompareStore = ReturnType<typeof createCompare>;
