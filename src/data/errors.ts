/** What can be wrong with a text, a tokenizer, or a tokenizer for a text. */
export type DataErrorCode =
  | 'no_text'
  | 'text_empty'
  | 'text_too_short'
  | 'text_not_utf8'
  | 'text_too_large'
  | 'text_unreachable'
  | 'unknown_column'
  | 'malformed_line'
  | 'unknown_character'
  | 'vocab_too_large'
  | 'token_out_of_range'
  | 'tokenizer_malformed'
  | 'tokenizer_unsupported'
  | 'tokenizer_missing'
  | 'no_such_preference'
  | 'template_failed'
  | 'bad_example'
  | 'no_examples'
  | 'no_reward'
  | 'other_run'
  | 'cancelled';

/**
 * A failure that a user can cause. The page shows both of its sentences: `message` says what
 * happened, `hint` what to do. Bad input to this room throws nothing else.
 */
export class DataError extends Error {
  readonly code: DataErrorCode;
  readonly hint: string;

  constructor(code: DataErrorCode, message: string, hint: string) {
    super(message);
    this.name = 'DataError';
    this.code = code;
    this.hint = hint;
  }
}

/** Adds to an error about too little text that repeats were removed, and how to keep them. */
export function withRepeats(error: DataError, removed: number): DataError {
  if (removed === 0) return error;
  const repeats = `${removed.toLocaleString('en')} ${removed === 1 ? 'repeat was' : 'repeats were'}`;
  const hint = `${error.hint.charAt(0).toLowerCase()}${error.hint.slice(1)}`;
  return new DataError(
    error.code,
    `${error.message} ${repeats} removed.`,
    `Keep repeats in the data section, or ${hint}`,
  );
}
