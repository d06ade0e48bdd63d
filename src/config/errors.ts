/** What a configuration from elsewhere can get wrong, as errors with a sentence and a hint. */
import { rangeOf, type FieldPath, type FieldRange } from './fields.ts';
import { nearestName } from './nearest_name.ts';
import { CONFIG_VERSION } from './schema.ts';

export type ConfigErrorCode =
  | 'not_a_config'
  | 'unknown_version'
  | 'unknown_key'
  | 'bad_value'
  | 'unknown_preset'
  | 'duplicate_key'
  | 'too_long';

/** A configuration that cannot be read. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /**
   * @param message What is wrong, in one sentence.
   * @param hint What would work, in one sentence.
   * @param field The field, section or key at fault, if there is one.
   */
  constructor(
    readonly code: ConfigErrorCode,
    message: string,
    readonly hint: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** Longest configuration that is read at all, in characters. */
export const MAX_CONFIG_LENGTH = 100_000;

export const tooLong = (): ConfigError =>
  new ConfigError(
    'too_long',
    `The configuration is longer than ${MAX_CONFIG_LENGTH} characters.`,
    'Shorten the prompts.',
  );

export const unknownVersion = (version: unknown): ConfigError =>
  new ConfigError(
    'unknown_version',
    `The configuration has version ${quoted(version)}, and this page reads version ${CONFIG_VERSION}.`,
    'Reload the page to get its newest version, or set up the run by hand.',
    'version',
  );

/** `known`: the names among which the hint looks for the one that was meant. */
export function unknownKey(key: string, known: readonly string[]): ConfigError {
  const meant = nearestName(key, known);
  return new ConfigError(
    'unknown_key',
    `The configuration has a field ${quoted(key)} that this page does not know.`,
    meant ? `Did you mean ${meant}?` : 'Check its name, or leave it out.',
    key.slice(0, 100),
  );
}

export const badValue = (path: FieldPath, value: unknown): ConfigError =>
  new ConfigError(
    'bad_value',
    `${path} cannot be ${quoted(value)}.`,
    describeRange(rangeOf(path)),
    path,
  );

/** `what`: what is wrong with the key, as the end of a sentence that starts "The address gives". */
export const duplicateKey = (key: string, what = `${key} more than once`): ConfigError =>
  new ConfigError('duplicate_key', `The address gives ${what}.`, 'Keep one of them.', key);

/** The values that a field accepts, as a sentence. */
function describeRange(range: FieldRange): string {
  switch (range.kind) {
    case 'number':
      return `It is a${range.integer ? ' whole' : ''} number from ${range.min} to ${range.max}.`;
    case 'flag':
      return 'It is true or false.';
    case 'choice':
      return `It is one of ${range.options.join(', ')}.`;
    case 'texts':
      return `It is a list of at most ${range.max_items} texts of at most ${range.max_length} characters.`;
    default:
      return range satisfies never;
  }
}

/** A value as part of a sentence: short and on one line. */
function quoted(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `"${printable(value)}"`;
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    default:
      if (value === null) return 'null';
      return Array.isArray(value) ? 'a list' : 'an object';
  }
}

/** The first 40 characters, with a space for each control character. */
function printable(text: string): string {
  const isControl = (char: string): boolean => char < ' ' || char === '\u007f';
  const start = [...text.slice(0, 40)].map((char) => (isControl(char) ? ' ' : char)).join('');
  return text.length > 40 ? `${start}...` : start;
}
