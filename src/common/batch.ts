/** One of `count` equal parts of the training text, counted from 0. */
export interface Shard {
  index: number;
  count: number;
}

/**
 * One micro-batch, row-major [batch_size, block_size]. `weights` are loss weights already divided
 * by the total weight of the whole step (all micro-batches, all ranks), so the loss of a step is
 * the plain sum of weight x token loss, and 8, 4x2 and two ranks of 4 rows give the same step.
 */
export interface Batch {
  batch_size: number;
  block_size: number;
  ids: Int32Array;
  targets: Int32Array;
  weights: Float32Array;
  positions: Int32Array;
  /** Global index of the first row; dropout is a function of it. */
  row_offset: number;
  /** Tokens that are not padding; all of them by default. */
  tokens?: number;
  /** Values of the inputs that the objective adds, by the names of its `inputs`. */
  extra?: Readonly<Record<string, Float32Array | Int32Array>>;
  /** Which of them are indices of tokens of this batch. */
  token_indices?: readonly string[];
}
