/** What a member needs of the run that trains on its page. */
import type { Shard } from '../../common/index.ts';
import type { Plan, SentText } from './schema.ts';

/** Local steps from the global parameters. */
export interface LocalWork {
  /** Global parameters; the callee may keep the array and change it. */
  parameters: Float32Array;
  /** Steps of the whole training before these. */
  step: number;
  steps: number;
  shard: Shard;
}

export interface LocalResult {
  parameters: Float32Array;
  steps: number;
  tokens: number;
  seconds: number;
  /** Mean training loss of the steps. */
  loss: number;
}

export interface PoolTrainer {
  /**
   * Makes the run of the plan, on the room's text if it has one, and does not train yet. Resolves to
   * the number of parameters that train. Rejects with a sentence as its message.
   */
  prepare(plan: Plan, text: { reading: SentText; bytes: Uint8Array } | null): Promise<number>;
  /** Trains; resolves to null if it was cancelled. `progress` is told the steps taken so far. */
  train(work: LocalWork, progress: (done: number) => void): Promise<LocalResult | null>;
  /** Ends `train` at the next step. */
  cancel(): void;
  /** Stops between two steps until it is told to go on. */
  setPaused(paused: boolean): void;
  /** Validation loss of these parameters; null if it cannot be measured. */
  evaluate(parameters: Float32Array): Promise<number | null>;
  /** Keeps these parameters as the run's, saves it, and takes no more part. */
  finish(parameters: Float32Array): Promise<void>;
}
