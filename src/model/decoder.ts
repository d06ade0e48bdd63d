/** What generation by kernels and generation on the host have in common. */
import type { Program } from '../backend/index.ts';
import type { Choice, SamplingOptions } from '../ops/sample_token/sampler.ts';

export interface DecodeOptions extends SamplingOptions {
  /**
   * Seed of the draws of every row. They are numbered by the row's own tokens, so that a row does
   * not depend on the others.
   */
  sample_seed: number;
  max_new_tokens: number;
  /**
   * Ids from this one on are neither sampled nor listed: rows of the model beyond the tokenizer's
   * vocabulary. Default: the model has no such rows.
   */
  vocab_limit?: number | undefined;
  /** Token that ends a row, if any. */
  stop_id?: number | null | undefined;
}

/** A token that one of the rows has generated. */
export interface RowChoice {
  row: number;
  choice: Choice;
}

export interface Decoder {
  /** Rows that it decodes at once; Infinity if it decodes them one after the other. */
  readonly rows: number;
  /** See `Generator.generateRows`. */
  decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice>;
  /** Logits [vocab_size] after a prompt of at most block_size ids. */
  readPrompt(ids: readonly number[]): Promise<Float32Array>;
  /** Makes the next token of each row (on the host: its logits). */
  readonly next: Program;
  /** Bytes of the caches and programs. */
  readonly bytes: number;
  dispose(): void;
}

/**
 * The ids that prefill reads before a row's next token: the latest block_size of them, or half as
 * many once the row has outgrown the context, so that there is room to continue.
 */
export function contextOf(
  ids: readonly number[],
  block_size: number,
  outgrown: boolean,
): readonly number[] {
  const halve = outgrown || ids.length > block_size;
  const length = halve ? Math.max(1, Math.floor(block_size / 2)) : block_size;
  return ids.slice(-length);
}
