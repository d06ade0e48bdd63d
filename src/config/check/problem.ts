import type { FieldPath, FieldValue } from '../fields.ts';

export type ProblemCode =
  | 'width_not_divisible_by_heads'
  | 'heads_not_divisible_by_kv_heads'
  | 'odd_head_dim'
  | 'needs_llama'
  | 'activation_not_in_layout'
  | 'text_too_short'
  | 'validation_too_short'
  | 'does_not_fit_device'
  | 'tensor_above_binding_limit'
  | 'buffer_above_limit';

/** Something that would make a run fail. */
export interface Problem {
  /** The field to mark in the form. */
  field: FieldPath;
  code: ProblemCode;
  /** What is wrong, in one sentence. */
  message: string;
  /** What would work, in one sentence. */
  hint: string;
  /** One change of one field that solves the problem, if there is such a change. */
  fix?: { field: FieldPath; value: FieldValue };
}

/**
 * What is known so far about the text and the device; a rule whose facts are missing is skipped.
 * Sizes in bytes.
 */
export interface Facts {
  /** Tokens of the tokenizer. */
  vocab_size?: number;
  /** Rows of the embedding, if not `vocab_size`: an imported model may have more. */
  model_vocab_size?: number;
  train_tokens?: number;
  val_tokens?: number;
  /** Documents that were removed because they repeat another one. */
  duplicates_removed?: number;
  max_binding_size?: number;
  max_buffer_size?: number;
  /** Largest single buffer of the run, as `plan/` counts it. */
  planned_largest_buffer?: number;
  /** All buffers of the run, as `plan/` counts them. */
  planned_bytes?: number;
  /** Memory that the device can give to a run: found by allocating, or the limit of the heap. */
  memory_bytes?: number;
}

/** "1 token", "2 tokens". */
export const tokens = (count: number): string => `${count} ${count === 1 ? 'token' : 'tokens'}`;

/** "1 step", "2 steps". */
export const steps = (count: number): string => `${count} ${count === 1 ? 'step' : 'steps'}`;

/** Formats bytes in MiB, or in GiB from 1.5 GiB on. Binary units, since GPU limits are powers of 2. */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  if (mebibytes >= 1536) return `${(mebibytes / 1024).toFixed(1)} GiB`;
  return `${mebibytes.toFixed(mebibytes >= 10 ? 0 : 1)} MiB`;
}
