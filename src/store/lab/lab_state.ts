/** The state of the parallel lab: the ranks of one run, what they report, and what went wrong. */
import { createStore } from 'zustand/vanilla';
import { type Mesh, ONE_RANK, type RankMemory, type RankStep } from '../../common/index.ts';
import type { ResolvedModel, RunConfig } from '../../config/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';

export type LabPhase =
  /** Nothing has been started. */
  | 'empty'
  /** The ranks open their devices and build their parts of the model. */
  | 'opening'
  | 'training'
  | 'evaluating'
  /** Training ends after the step that is in flight. */
  | 'pausing'
  | 'paused'
  | 'saving'
  /** The run saves itself, and then trains on. */
  | 'autosaving'
  /** All steps are taken; the ranks are still there, so the run can be saved. */
  | 'done'
  /** The ranks were ended by the user. */
  | 'stopped'
  | 'failed';

export interface LabRank {
  rank: number;
  /** `gone`: its worker has ended, while those of the others may still wait for it. */
  status: 'starting' | 'ready' | 'gone';
  memory: RankMemory | null;
  /** 1 is as fast as it can. */
  slowness: number;
  /** The error with which this rank ended; '' without one. */
  failure: string;
}

/** A saved run, and the step of its last checkpoint. */
export interface LabOrigin {
  run: string;
  name: string;
  step: number;
}

export interface SavedLabRun {
  step: number;
  bytes: number;
}

export interface LabState {
  phase: LabPhase;
  /** Of the ranks that were started last. */
  mesh: Mesh;
  /** Of the ranks that were started last; null before. */
  config: RunConfig | null;
  /** Null for pretraining. */
  stage: StageConfig | null;
  /** Id under which the run is saved, and its name. */
  run: string;
  name: string;
  backend: string;
  n_params: number;
  /** Of the model of the ranks; 0 before they are open. */
  vocab_size: number;
  /** The model of the ranks; null before they are open. */
  model: ResolvedModel | null;
  /** Tokens of a row of their batches; 0 before they are open. */
  row_length: number;
  /** Held-out prompts that evaluations of a stage answer. */
  held_out_prompts: number;
  /** Pairs of answers that a stage learns from. */
  train_pairs: number;
  ranks: readonly LabRank[];
  /** Steps that all ranks have taken. */
  step: number;
  /** The last steps of all ranks, oldest first; in each one, the ranks in order. */
  recent: readonly (readonly RankStep[])[];
  /** What training has met, as sentences of rank 0. */
  notices: readonly string[];
  /** The checkpoint that the run continues from; null for a new run. */
  from: LabOrigin | null;
  /** The last checkpoint of this run; null before. */
  saved: SavedLabRun | null;
  /** Why the last save failed, in sentences; '' once one succeeds. */
  save_problem: string;
  /** Why the run ended, in a sentence; it stays until the next start. */
  failure: string;
}

/** Steps whose spans are kept. */
export const RECENT_STEPS = 20;

export const emptyLab: LabState = {
  phase: 'empty',
  mesh: ONE_RANK,
  config: null,
  stage: null,
  run: '',
  name: '',
  backend: '',
  n_params: 0,
  vocab_size: 0,
  model: null,
  row_length: 0,
  held_out_prompts: 0,
  train_pairs: 0,
  ranks: [],
  step: 0,
  recent: [],
  notices: [],
  from: null,
  saved: null,
  save_problem: '',
  failure: '',
};

export const createLab = () => createStore<LabState>(() => emptyLab);
export type LabStore = ReturnType<typeof createLab>;

/** There are workers. */
export function hasRanks({ phase }: Pick<LabState, 'phase'>): boolean {
  switch (phase) {
    case 'empty':
    case 'stopped':
    case 'failed':
      return false;
    case 'opening':
    case 'training':
    case 'evaluating':
    case 'pausing':
    case 'paused':
    case 'saving':
    case 'autosaving':
    case 'done':
      return true;
    default:
      return phase satisfies never;
  }
}

/** The ranks wait for the user. */
export const isIdle = ({ phase }: Pick<LabState, 'phase'>): boolean =>
  phase === 'paused' || phase === 'done';

/** Training goes on until it is paused. */
export const mayPause = ({ phase }: Pick<LabState, 'phase'>): boolean =>
  phase === 'training' || phase === 'evaluating' || phase === 'autosaving';
