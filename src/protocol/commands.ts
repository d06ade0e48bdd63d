/**
 * What the page asks the worker for. A command with an `id` is answered by exactly one event with
 * that id: the one named below, or an `error`.
 */
import type { ExportChoice, OwnText, RunView, WeightsChoice } from '../common/index.ts';
import type { RunConfig, RuntimeConfig, SamplingConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { ModelCommand } from './models.ts';
import type { RankCommand } from './ranks.ts';
import type { CompareMode, ImportedFile, ParentSource, RunRecipe, OpenedFiles } from './types.ts';

export interface StartCommand extends OpenedFiles {
  type: 'start';
  run: string;
  name: string;
  config: RunConfig;
  paused?: boolean | undefined;
  /** A saved run whose own text is used if the command has none. */
  text_of?: string | undefined;
  /** Name of an objective in `objectives/`; pretraining by default. */
  objective?: string | undefined;
  /** Without one, weights are initialised randomly. A stage needs one. */
  parent?: ParentSource | undefined;
  /** A stage after pretraining, whose objective replaces `objective`. */
  stage?: StageConfig | undefined;
  /** The saved run whose reward model scores the answers, and which the value model starts from. */
  reward_model?: { run: string } | undefined;
  /** Examples of a stage whose task is `own`, as JSON Lines. */
  dataset?: OwnText | undefined;
  /** What the configuration was made from; kept with the run. */
  recipe?: RunRecipe | undefined;
}

export interface ResumeCommand {
  type: 'resume';
  run: string;
  /** Continues from the best checkpoint instead of the last one. */
  weights?: WeightsChoice | undefined;
  /** Replaces the multiplier that the run was saved with. */
  lr_multiplier?: number | undefined;
  paused?: boolean | undefined;
  backend?: RuntimeConfig['backend'] | undefined;
}

/**
 * Continues from a checkpoint that the user opened: a zip, or the files of a model folder. Answered
 * by `importing` once the files have been read and the run before has been saved; by an `error` with
 * the id if either fails, and then the run before goes on.
 */
export interface ImportCommand {
  type: 'import';
  id: number;
  run: string;
  name: string;
  files: ImportedFile[];
  config?: RunConfig | undefined;
  text?: OwnText | undefined;
}

export interface GenerateCommand {
  type: 'generate';
  id: number;
  prompt: string;
  sampling: SamplingConfig;
  /** The weights as they are now (by default), or those of the best evaluation. */
  weights?: WeightsChoice | undefined;
}

/** Trains the same seed and configuration on this worker's backend: answered by `comparison`. */
export interface CompareCommand extends OpenedFiles {
  type: 'compare';
  id: number;
  config: RunConfig;
  mode: CompareMode;
  steps: number;
}

/** Changes the library of saved runs: answered by `runs`. */
export type LibraryCommand =
  | { type: 'rename_run'; id: number; run: string; name: string }
  | { type: 'duplicate_run'; id: number; run: string; name: string }
  /** Deleted runs can be restored for a day. */
  | { type: 'delete_runs'; id: number; runs: readonly string[] }
  | { type: 'restore_runs'; id: number; runs: readonly string[] }
  /** Removes deleted runs for good. */
  | { type: 'purge_runs'; id: number; runs: readonly string[] }
  /** Limits the bytes of all runs; null removes the limit. */
  | { type: 'set_budget'; id: number; bytes: number | null };

/** Many runs as one file. Both report `backup_progress` until they are answered. */
export type BackupCommand =
  /** Answered by `backup`. */
  | { type: 'back_up'; id: number; runs: readonly string[] }
  /** Answered by `backup_restored`. */
  | { type: 'restore_backup'; id: number; file: Blob }
  /** Ends one of the two, which is then answered by an error with the code `cancelled`. */
  | { type: 'cancel_backup'; job: number };

export type Command =
  /** Starts a backend without a run: answered by `device` and, if requested, `calibration`. */
  | { type: 'open'; backend: RuntimeConfig['backend']; calibrate: boolean }
  /**
   * How many threads the processor may use, from now on and in a run: null chooses what is fastest
   * here. Answered by `device` if that changes the device.
   */
  | { type: 'set_threads'; threads: number | null }
  /** Answered by `pong` in the port itself, which tells a busy worker from a dead one. */
  | { type: 'ping'; id: number }
  /** Reads and splits the text and trains the tokenizer, without a model: answered by `data`. */
  | ({ type: 'prepare'; config: RunConfig } & OpenedFiles)
  | StartCommand
  | ResumeCommand
  | ImportCommand
  | { type: 'train' }
  | { type: 'pause' }
  | { type: 'step' }
  | { type: 'stop' }
  /** Cancels the preparation of a text, or a comparison. */
  | { type: 'cancel' }
  /** Saves a checkpoint now: answered by `saved`. */
  | { type: 'save'; id: number }
  /**
   * Saves the current run, if any, and closes it: answered by `released`, or by an `error` if storage
   * refuses, and then the run goes on.
   */
  | { type: 'release'; id: number }
  /** Scales the learning rate schedule from the next step on; 1 returns to the schedule. */
  | { type: 'set_lr_multiplier'; multiplier: number }
  | { type: 'set_sampling'; sampling: SamplingConfig }
  /** Keeps with the current run how the page looks at it. */
  | { type: 'set_view'; run: string; view: RunView }
  /** Answered by `token` events and one `generation_done`, or by an `error`. */
  | GenerateCommand
  | { type: 'stop_generation'; id: number }
  /** Answered by `tokens`. */
  | { type: 'tokenize'; id: number; text: string }
  /** Answered by `exported`. */
  | { type: 'export'; id: number; what?: ExportChoice | undefined }
  /** The library of saved runs: each is answered by `runs`. */
  | { type: 'list_runs' }
  | LibraryCommand
  | BackupCommand
  /** Metrics of a saved run, to draw under the current ones: answered by `history`. */
  | { type: 'load_history'; id: number; run: string }
  | CompareCommand
  /** Measures one training step, which leaves the run as it was: answered by `profile`. */
  | { type: 'profile'; id: number }
  /** Models that are open beside the run, and what a run gathers. */
  | ModelCommand
  | RankCommand
  /** For tests only: loses the GPU device as a driver would. */
  | { type: 'lose_device' };
