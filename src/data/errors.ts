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
