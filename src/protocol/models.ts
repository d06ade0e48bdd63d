/**
 * Commands about checkpoints that are opened beside a run, for chat and evaluation, and about what a
 * run gathers: votes, rollouts, evaluations. Any worker executes them; the page has one of its own
 * for them, so that a run that trains is not disturbed.
 */
import type {
  CheckpointName,
  EvaluationRecord,
  EvaluationSettings,
  GenerationEnd,
  Lineage,
  RolloutRecord,
  ShownStep,
  Turns,
  Vote,
} from '../common/index.ts';
import type { RuntimeConfig, SamplingConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { PoolEvent, PoolRequest } from './pool.ts';
import type { ParentSource } from './types.ts';

/**
 * Opens a checkpoint for reading: weights only, without gradients and moments, adapters merged.
 * Several may be open at once. Answered by `model_opened`.
 */
export interface OpenModelCommand {
  type: 'open_model';
  id: number;
  /** By which later commands name it; a model that is open under this name is closed. */
  model: string;
  source: ParentSource;
  /** Without effect while a run or another model is open. */
  backend: RuntimeConfig['backend'];
  /** How the device keeps the weights, as far as it can; float32 by default. */
  dtype?: WeightDtype;
}

/** transformers' `dtype`. Arithmetic is float32 either way. */
export type WeightDtype = StageConfig['peft']['dtype'];

/**
 * Answers a conversation, or continues a text. Answered by `token` events and one `chat_done`;
 * `stop_generation` with its id ends it.
 */
export interface ChatCommand {
  type: 'chat';
  id: number;
  model: string;
  prompt: Turns;
  sampling: SamplingConfig;
}

/** What an evaluation measures. */
export const MEASUREMENTS = [
  'answers',
  'pass_at_k',
  'choices',
  'bits_per_byte',
  'rewards',
  'win_rate',
  'kl',
] as const;
export type Measurement = (typeof MEASUREMENTS)[number];

/**
 * Measures a model that is open. Answered by `evaluated`, after `evaluation_progress`. With files of
 * a run, the result is kept in the run's `evaluations.jsonl`.
 */
export interface EvaluateCommand {
  type: 'evaluate';
  id: number;
  model: string;
  /** An open model that win rate and KL compare with; they are refused without one. */
  parent?: string | undefined;
  /** An open reward model, for the learned reward. */
  reward_model?: string | undefined;
  measure: readonly Measurement[];
  /** Held-out items of this task are asked; `eval_size` is how many. */
  dataset: StageConfig['dataset'];
  settings: Pick<EvaluationSettings, 'temperature' | 'max_new_tokens' | 'k' | 'samples' | 'seed'>;
}

/** Scores of a reward model that is open: answered by `scores`. */
export interface ScoreCommand {
  type: 'score';
  id: number;
  model: string;
  prompt: Turns;
  answers: readonly string[];
}

/** Requests about open models. */
export type OpenModelRequest =
  | OpenModelCommand
  /** Frees its memory: answered by `model_closed`. */
  | { type: 'close_model'; id: number; model: string }
  | ChatCommand
  | EvaluateCommand
  | ScoreCommand;

/** Requests about what a run has gathered. */
export type RecordRequest =
  /** Keeps a vote with the run that it names: answered by `votes`, as the next two are. */
  | { type: 'vote'; id: number; vote: Vote }
  | { type: 'undo_vote'; id: number; run: string }
  | { type: 'read_votes'; id: number; run: string }
  /** Answered by `rollouts`. */
  | { type: 'read_rollouts'; id: number; run: string }
  /** Of these runs: answered by `evaluations`. */
  | { type: 'read_evaluations'; id: number; runs: readonly string[] }
  /** Prompts of a generated task, as training draws them: answered by `prompts`. */
  | { type: 'draw_prompts'; id: number; dataset: StageConfig['dataset'] }
  /** The latest batch of the run that trains in this worker: answered by `inspected`. */
  | { type: 'inspect'; id: number };

export type ModelRequest = OpenModelRequest | RecordRequest | PoolRequest;

export type ModelCommand =
  | ModelRequest
  /** Ends an evaluation, which is then answered by an error with the code `cancelled`. */
  | { type: 'cancel_evaluation'; job: number };

/** A checkpoint that is open. */
export interface OpenedModel {
  model: string;
  checkpoint: CheckpointName;
  lineage: Lineage;
  n_params: number;
  /** Of its weights on the device. */
  bytes: number;
  block_size: number;
  vocab_size: number;
  /** Equal for models that give tokens the same ids: only then KL and rewards can be compared. */
  vocabulary: string;
  /** It has a chat template; otherwise it continues text. */
  chats: boolean;
  /** It scores answers, and does not write them. */
  is_reward: boolean;
  /** What was changed while reading, in sentences. */
  notes: readonly string[];
}

export interface ChatDoneEvent {
  type: 'chat_done';
  id: number;
  reason: GenerationEnd;
  /** The answer without its end token. */
  text: string;
  prompt_tokens: number;
  /** Tokens of the answer, its end token included. */
  tokens: number;
  /** Tokens that the context still has room for after the answer. */
  context_left: number;
}

export type ModelEvent =
  | { type: 'model_opened'; id: number; opened: OpenedModel }
  | { type: 'model_closed'; id: number; model: string }
  /** The device was lost: these have to be opened again. */
  | { type: 'models_lost'; models: string[] }
  | ChatDoneEvent
  | PoolEvent
  /** `job` is the id of the command; `of` says what is measured now, in a few words. */
  | { type: 'evaluation_progress'; job: number; of: string; done: number; total: number }
  /** One record for the task and one for the text, as far as they were asked for. */
  | { type: 'evaluated'; id: number; records: EvaluationRecord[] }
  | { type: 'scores'; id: number; scores: number[] }
  | { type: 'votes'; id: number; run: string; votes: Vote[] }
  /** `dropped`: how many older ones the run no longer has. */
  | { type: 'rollouts'; id: number; run: string; rollouts: RolloutRecord[]; dropped: number }
  | { type: 'evaluations'; id: number; evaluations: EvaluationRecord[] }
  | { type: 'prompts'; id: number; prompts: Turns[] }
  /** `step` is null before the first step, or if the objective does not say. */
  | { type: 'inspected'; id: number; step: ShownStep | null };

export const MODEL_COMMANDS: Record<ModelCommand['type'], true> = {
  open_model: true,
  close_model: true,
  chat: true,
  evaluate: true,
  score: true,
  vote: true,
  undo_vote: true,
  read_votes: true,
  read_rollouts: true,
  read_evaluations: true,
  draw_prompts: true,
  inspect: true,
  cancel_evaluation: true,
  train_round: true,
  end_rounds: true,
  keep_pool: true,
  read_pool: true,
};

export const MODEL_EVENTS: Record<ModelEvent['type'], true> = {
  model_opened: true,
  model_closed: true,
  models_lost: true,
  chat_done: true,
  evaluation_progress: true,
  evaluated: true,
  scores: true,
  votes: true,
  rollouts: true,
  evaluations: true,
  prompts: true,
  inspected: true,
  round_trained: true,
  rounds_ended: true,
  pool_kept: true,
  pool: true,
};

export const isModelCommand = <C extends { type: string }>(
  command: C | ModelCommand,
): command is ModelCommand => Object.hasOwn(MODEL_COMMANDS, command.type);

export const isModelEvent = <E extends { type: string }>(
  event: E | ModelEvent,
): event is ModelEvent => Object.hasOwn(MODEL_EVENTS, event.type);
