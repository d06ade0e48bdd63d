/**
 * Everything that can go wrong with a saved, brought or hostile checkpoint, and with the storage
 * that keeps it.
 */

export type CheckpointErrorCode =
  /* the bytes */
  | 'truncated'
  | 'bad_header'
  | 'bad_offsets'
  | 'bad_dtype'
  | 'bad_shape'
  | 'duplicate_name'
  | 'forbidden_name'
  | 'bad_json'
  | 'too_large'
  | 'pickle'
  | 'bad_zip'
  | 'zip_bomb'
  | 'unsafe_path'
  /* what they say */
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
  /* where they are kept */
  | 'storage_full'
  | 'storage_refused'
  | 'storage_busy'
  | 'storage_failed'
  | 'run_locked'
  | 'run_missing';

/** `message` says in one plain sentence what happened, `hint` what to do. */
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

const FETCH_AGAIN = 'Fetch or copy the file again: it was damaged or cut short on the way.';

/** A file whose bytes are not what its format says. */
export const damaged = (
  code: CheckpointErrorCode,
  file: string,
  what: string,
  cause?: unknown,
): CheckpointError =>
  new CheckpointError(code, `${shorten(file)} is damaged: ${what}.`, FETCH_AGAIN, { cause });

/** Names in messages come from the file: keep them short and free of control characters. */
export function shorten(name: string, length = 80): string {
  const clean = name.replace(/\p{C}/gu, '?');
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}
