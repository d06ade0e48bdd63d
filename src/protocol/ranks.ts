/**
 * Commands for a rank of a parallel run. Each rank is a worker with a device of its own; the page
 * starts them, joins each two by a message port, and hears from each of them.
 */
import type { Mesh, MetricRow, OwnText, RankMemory, RankStep } from '../common/index.ts';
import type { ResolvedModel, RunConfig, RuntimeConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { OpenedFiles, ParentSource } from './types.ts';

/** A run that starts from the weights of another one: a stage, or more pretraining. */
export interface ChildRun {
  parent: ParentSource;
  /** Null goes on pretraining, on the text of the configuration. */
  stage: StageConfig | null;
  /** The saved run whose reward model scores the answers (PPO). */
  reward_model?: { run: string } | undefined;
  /** Examples of a stage whose task is `own`, as JSON Lines. */
  dataset?: OwnText | undefined;
}

/**
 * Opens the device, prepares the text and builds this rank's part of the model, together with the
 * other ranks. Answered by `rank_opened`.
 */
export interface OpenRankCommand extends OpenedFiles {
  type: 'open_rank';
  id: number;
  rank: number;
  mesh: Mesh;
  config: RunConfig;
  backend: RuntimeConfig['backend'];
  /** To each other rank, by its number. */
  ports: { rank: number; port: MessagePort }[];
  /** The same between the workers that add up gradients for the ranks. */
  reducer_ports: { rank: number; port: MessagePort }[];
  /** A saved run whose last checkpoint is continued, be it a stage; null for a new run. */
  resume: string | null;
  /** What a new run takes from a parent; null for new weights. */
  child: ChildRun | null;
}

export type RankRequest =
  | OpenRankCommand
  /**
   * Trains this many steps together with the others: `rank_step` after each; answered by `rank_trained`.
   * All ranks stop earlier after the same step if one of them was asked to pause, or with `autosave` if
   * the run is due to be saved.
   */
  | { type: 'train_rank'; id: number; steps: number; autosave: boolean }
  /** The objective's evaluation, by all ranks: answered by `rank_evaluated`. */
  | { type: 'evaluate_rank'; id: number }
  /** All ranks at once; rank 0 keeps the whole as a checkpoint of this run: answered by `rank_saved`. */
  | { type: 'save_rank'; id: number; run: string; name: string };

export type RankCommand =
  | RankRequest
  /** To all ranks: one computes as if its device were this many times slower; 1 is as fast as it can. */
  | { type: 'slow_rank'; rank: number; factor: number }
  /** Ends after the step that is in flight. */
  | { type: 'pause_rank' }
  /** Another rank is gone: what waits for it fails in a sentence. */
  | { type: 'rank_gone'; rank: number };

export type RankEvent =
  /** The worker holds this lock as long as it exists (`whenReleased`). */
  | { type: 'rank_alive'; rank: number; lock: string }
  | {
      type: 'rank_opened';
      id: number;
      rank: number;
      memory: RankMemory;
      backend: string;
      n_params: number;
      vocab_size: number;
      /** The whole model; of a stage, that of the run that it starts from. */
      model: ResolvedModel;
      /** Tokens of a row: the context, or less where the examples of a stage are shorter. */
      row_length: number;
      /** Held-out prompts that evaluations answer. */
      held_out_prompts: number;
      /** Pairs of answers that a stage learns from. */
      train_pairs: number;
    }
  /** `metrics` are those of the objective, from rank 0 alone: all ranks have the same ones. */
  | { type: 'rank_step'; step: RankStep; memory: RankMemory; metrics: MetricRow | null }
  | {
      type: 'rank_trained';
      id: number;
      rank: number;
      step: number;
      /** Whether the run is to be saved now by itself: rank 0 decides, the others answer false. */
      save_due: boolean;
    }
  /** The same on every rank. */
  | { type: 'rank_evaluated'; id: number; rank: number; metrics: MetricRow }
  /** `bytes` is null on ranks other than 0. */
  | {
      type: 'rank_saved';
      id: number;
      rank: number;
      run: string;
      step: number;
      bytes: number | null;
      /** Why storage refused it, in sentences; absent if it is saved. */
      problem?: string;
    };

export const RANK_COMMANDS: Record<RankCommand['type'], true> = {
  open_rank: true,
  train_rank: true,
  evaluate_rank: true,
  save_rank: true,
  slow_rank: true,
  pause_rank: true,
  rank_gone: true,
};

export const RANK_EVENTS: Record<RankEvent['type'], true> = {
  rank_alive: true,
  rank_opened: true,
  rank_step: true,
  rank_trained: true,
  rank_evaluated: true,
  rank_saved: true,
};

export const isRankCommand = <C extends { type: string }>(
  command: C | RankCommand,
): command is RankCommand => Object.hasOwn(RANK_COMMANDS, command.type);

export const isRankEvent = <E extends { type: string }>(event: E | RankEvent): event is RankEvent =>
  Object.hasOwn(RANK_EVENTS, event.type);
