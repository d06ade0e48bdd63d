/** Errors of reading or writing a checkpoint, and of the storage that keeps it. */

export type CheckpointErrorCode =
  /* malformed bytes */
  | 'truncated'
  | 'bad_header'
  | 'bad_offsets'
  | 'bad_dtype'
  | 'bad_shape'
  | 'not_finite'
  | 'duplicate_name'
  | 'forbidden_name'
  | 'bad_json'
  | 'too_large'
  | 'pickle'
  | 'bad_zip'
  | 'zip_bomb'
  | 'unsafe_path'
  /* inconsistent or unsupported content */
  | 'missing_file'
  | 'missing_tensor'
  | 'unexpected_tensor'
  | 'shape_mismatch'
  | 'config_mismatch'
  | 'unsupported_model'
  | 'no_equivalent'
  | 'unknown_version'
  | 'bad_state'
  | 'bad_tokenizer'
  | 'vocab_mismatch'
  | 'bad_weights'
  /* storage */
  | 'storage_full'
  | 'storage_refused'
  | 'storage_busy'
  | 'storage_failed'
  | 'run_locked'
  | 'run_missing'
  /* ended by the user */
  | 'cancelled';

/** `message` says in one sentence what happened; `hint` says what to do about it. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
  constructor(
    readonly code: CheckpointErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const FETCH_AGAIN = 'Download or copy the file again: it was damaged or cut short on the way.';

/** The error for a file that violates its format. `what` completes "FILE is damaged: ...". */
export const damaged = (
  code: CheckpointErrorCode,
  file: string,
  what: string,
  cause?: unknown,
): CheckpointError =>
  new CheckpointError(code, `${shorten(file)} is damaged: ${what}.`, FETCH_AGAIN, { cause });

/** Makes a name from an untrusted file printable: short, and without control characters. */
export function shorten(name: string, length = 80): string {
  const clean = name.replace(/\p{C}/gu, '?');
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}
