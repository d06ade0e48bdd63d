/** What can be wrong with a tokenizer.json. */
import { DataError } from '../errors.ts';

/** `detail` ends the sentence "The tokenizer.json cannot be read: ...". */
export const malformed = (detail: string): DataError =>
  new DataError(
    'tokenizer_malformed',
    `The tokenizer.json cannot be read: ${detail}.`,
    'Choose an intact tokenizer.json.',
  );

/** `detail` ends the sentence "This kind of tokenizer.json is not supported: ...". */
export const unsupported = (detail: string): DataError =>
  new DataError(
    'tokenizer_unsupported',
    `This kind of tokenizer.json is not supported: ${detail}.`,
    'Choose a byte-level BPE such as that of GPT-2, or train a tokenizer here.',
  );
