/** What both ways of generating have in common. */
import type { Program } from '../backend/index.ts';
import type { Choice, SamplingOptions } from '../ops/sample_token/sampler.ts';

export interface DecodeOptions extends SamplingOptions {
  /**
   * The draws of every row come from it, numbered by the row's tokens: a row does not depend on the
   * others.
   */
  sample_seed: number;
  max_new_tokens: number;
  /** Ends a row. */
  stop_id?: number | null | undefined;
}

/** A token of one of the rows. */
export interface RowChoice {
  row: number;
  choice: Choice;
}

export interface Decoder {
  /** Rows that it can take at once; Infinity where one comes after the other. */
  readonly rows: number;
  decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice>;
  readPrompt(ids: readonly number[]): Promise<Float32Array>;
  /** Makes the next token of each row (on the host: its logits). */
  readonly next: Program;
  readonly bytes: number;
  dispose(): void;
}

/**
 * What is read of a row before its next token can come: all of it at first, the latest half once it
 * has outgrown the context.
 */
export function contextOf(
  ids: readonly number[],
  block_size: number,
  outgrown: boolean,
): readonly number[] {
  return ids.slice(
    -(outgrown || ids.length > block_size ? Math.max(1, Math.floor(block_size / 2)) : block_size),
  );
}
