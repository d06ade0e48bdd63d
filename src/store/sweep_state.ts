/** What the page knows about a sweep: its field, and how far each of its runs is. */
import { createStore } from 'zustand/vanilla';
import type { FieldPath, FieldValue } from '../config/index.ts';

export const MIN_VALUES = 2;
export const MAX_VALUES = 8;

/** `stopped`: the user stopped this run, or cancelled the sweep before it. */
export type MemberStatus = 'waiting' | 'training' | 'done' | 'failed' | 'stopped';

export interface SweepMember {
  value: FieldValue;
  name: string;
  status: MemberStatus;
  /** The id of its run once it was started. */
  run: string | null;
  /** Why it failed, one sentence. */
  problem: string;
}

export interface SweepState {
  path: FieldPath | null;
  members: SweepMember[];
  running: boolean;
  /** Why it ended before its last member, one sentence. */
  ended: string;
}

export const createSweep = () =>
  createStore<SweepState>(() => ({ path: null, members: [], running: false, ended: '' }));
export type SweepStore = ReturnType<typeof createSweep>;
