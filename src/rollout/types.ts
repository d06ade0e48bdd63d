/** A batch of answers to prompts, sampled at fixed shapes. */

export interface RolloutRequest {
  /** One answer is sampled to each; prompts may repeat. */
  prompts: readonly (readonly number[])[];
  /** Of the whole batch: the draw of a token is a function of (seed, row, index of the token). */
  seed: number;
  /** Row of the first prompt, if these prompts are a part of the batch; 0 by default. */
  first_row?: number | undefined;
  /** At least 0; 0 takes the likeliest token. There are no other filters: see `Rollout.logps`. */
  temperature: number;
  max_new_tokens: number;
  /** Token that ends an answer. */
  stop_id: number;
  /** Ids from this one on are never sampled: rows of the model beyond the tokenizer's vocabulary. */
  vocab_limit?: number | undefined;
}

export interface Rollout {
  /** Sampled ids, with the stop token if the answer ended by itself. */
  ids: Int32Array;
  /**
   * Log-probability of each id at the temperature of the request [length of ids], nats: what a
   * policy's ratio compares against.
   */
  logps: Float32Array;
  ended: boolean;
}
