/**
 * Commands by which the page trains the run in rounds, for a room that trains one model on several
 * machines: local steps from given weights, and the weights after them.
 */
import type { Shard } from '../common/index.ts';

/**
 * Replaces the weights, moves to a step and a part of the text, takes steps, and holds the run: no
 * further step is taken until the next such command. The run has to be told to train once, as by
 * `train`. Answered by `round_trained` when the steps have been taken, or before if `end_rounds` came
 * first, or if the run has reached its last step.
 */
export interface TrainRoundCommand {
  type: 'train_round';
  id: number;
  /** All parameters that train, in the order of their store; null leaves them as they are. */
  parameters: Float32Array | null;
  /** The step that the run goes on at, if it is not further. */
  step: number;
  /** 0 only writes, evaluates and reads. */
  steps: number;
  shard: Shard;
  /** Evaluates the given weights before the first step. */
  evaluate: boolean;
}

export type PoolRequest =
  | TrainRoundCommand
  /** Ends a round at the next step. `hold`: the run stays held. Answered by `rounds_ended`. */
  | { type: 'end_rounds'; id: number; hold: boolean }
  /** Keeps the state of a room with its run: answered by `pool_kept`. */
  | { type: 'keep_pool'; id: number; run: string; bytes: Uint8Array }
  /** Answered by `pool`. */
  | { type: 'read_pool'; id: number; run: string };

export type PoolEvent =
  | {
      type: 'round_trained';
      id: number;
      parameters: Float32Array;
      /** Steps taken in the round. */
      steps: number;
      /** Null unless it was asked for. */
      val_loss: number | null;
    }
  | { type: 'rounds_ended'; id: number }
  | { type: 'pool_kept'; id: number }
  /** `bytes` is null if the run has no room. */
  | { type: 'pool'; id: number; bytes: Uint8Array | null };
