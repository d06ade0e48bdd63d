/** What the page knows about a recipe that is being carried out. */
import { createStore } from 'zustand/vanilla';
import type { MemberStatus } from './sweep_state.ts';

export interface RecipeMember {
  id: string;
  name: string;
  status: MemberStatus;
  /** The id of its run once it was started. */
  run: string | null;
  /** Why it failed, one sentence. */
  problem: string;
  /** Seconds from its start to its end. */
  seconds: number | null;
}

export interface RecipeState {
  name: string;
  members: readonly RecipeMember[];
  running: boolean;
  /** Why it ended before its last stage, one sentence. */
  ended: string;
}

export const createRecipeState = () =>
  createStore<RecipeState>(() => ({ name: '', members: [], running: false, ended: '' }));
export type RecipeStore = ReturnType<typeof createRecipeState>;
