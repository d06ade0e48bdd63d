/**
 * Reading a RunConfig that came from elsewhere (a URL, a checkpoint, a file). Nothing is taken on
 * trust: every failure is a ConfigError of one sentence, and no key of the input reaches an object
 * of ours except through the schema.
 */
import * as v from 'valibot';
import {
  isFieldPath,
  rangeOf,
  SECTIONS,
  fieldPaths,
  type FieldPath,
  type FieldRange,
  type FieldValue,
} from './fields.ts';
import { CONFIG_VERSION, RunConfigSchema, type RunConfig } from './schema.ts';

export type ConfigErrorCode =
  | 'not_a_config'
  | 'unknown_version'
  | 'unknown_key'
  | 'bad_value'
  | 'unknown_preset'
  | 'duplicate_key'
  | 'too_long';

/**
 * A configuration that cannot be read: what is wrong (`message`) and what would work (`hint`), a
 * sentence each.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(
    readonly code: ConfigErrorCode,
    message: string,
    readonly hint: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** Largest configuration text that is read at all, in characters. */
export const MAX_CONFIG_LENGTH = 100_000;

/**
 * Reads a RunConfig from a value that JSON or structured cloning made; missing fields take their
 * defaults. Throws ConfigError.
 */
export function parseConfig(value: unknown): RunConfig {
  if (!isRecord(value)) {
    throw new ConfigError(
      'not_a_config',
      'This is not a configuration: an object with the sections of a run is expected.',
      'Use a configuration that Terrarium has saved.',
    );
  }
  checkVersion(Object.hasOwn(value, 'version') ? value.version : CONFIG_VERSION);
  for (const key of Object.keys(value)) {
    if (key === 'version') continue;
    const section = SECTIONS.find((s) => s === key);
    if (!section) throw unknownKey(key, [...SECTIONS]);
    const fields = value[key];
    if (!isRecord(fields))
      throw new ConfigError(
        'bad_value',
        `The section ${section} of the configuration is not an object.`,
        'Leave it out to take its defaults.',
        section,
      );
    for (const field of Object.keys(fields))
      if (!isFieldPath(`${section}.${field}`))
        throw unknownKey(`${section}.${field}`, fieldPaths());
  }
  return checked(value);
}

/** Reads a RunConfig from JSON text. Throws ConfigError. */
export function parseConfigJson(text: string): RunConfig {
  if (text.length > MAX_CONFIG_LENGTH) throw tooLong();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigError(
      'not_a_config',
      'The configuration is not valid JSON.',
      'Use a configuration that Terrarium has saved.',
    );
  }
  return parseConfig(value);
}

export const tooLong = () =>
  new ConfigError(
    'too_long',
    `The configuration is longer than ${MAX_CONFIG_LENGTH} characters.`,
    'Shorten the prompts.',
  );

/** Throws ConfigError unless this is the version that we read. */
export function checkVersion(version: unknown): void {
  if (version === CONFIG_VERSION) return;
  throw new ConfigError(
    'unknown_version',
    `The configuration has version ${shown(version)}, and this page reads version ${CONFIG_VERSION}.`,
    'Reload the page to get its newest version, or set the run up by hand.',
    'version',
  );
}

export function unknownKey(key: string, known: readonly string[]): ConfigError {
  const near = nearest(key, known);
  return new ConfigError(
    'unknown_key',
    `The configuration has a field ${shown(key)} that this page does not know.`,
    near ? `Did you mean ${near}?` : 'Check its name, or leave it out.',
    key.slice(0, 100),
  );
}

export function badValue(path: FieldPath, value: unknown): ConfigError {
  return new ConfigError(
    'bad_value',
    `${path} cannot be ${shown(value)}.`,
    allowed(rangeOf(path)),
    path,
  );
}

/** What a field admits, as a sentence. */
export function allowed(range: FieldRange): string {
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

/** True where `value` is within the range of `path`. */
export function isAllowed(path: FieldPath, value: unknown): value is FieldValue {
  const range = rangeOf(path);
  switch (range.kind) {
    case 'number':
      return (
        typeof value === 'number' &&
        value >= range.min &&
        value <= range.max &&
        (!range.integer || Number.isInteger(value))
      );
    case 'flag':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && range.options.includes(value);
    case 'texts':
      return (
        Array.isArray(value) &&
        value.length <= range.max_items &&
        value.every((t) => typeof t === 'string' && t.length <= range.max_length)
      );
    default:
      return range satisfies never;
  }
}

/** A copy with one field set. Throws ConfigError where the value is outside of its range. */
export function withField(config: RunConfig, path: FieldPath, value: FieldValue): RunConfig {
  if (!isAllowed(path, value)) throw badValue(path, value);
  const [section, field] = path.split('.');
  return checked({
    ...config,
    [String(section)]: {
      ...config[SECTIONS.find((s) => s === section) ?? 'data'],
      [String(field)]: value,
    },
  });
}

function checked(value: unknown): RunConfig {
  const result = v.safeParse(RunConfigSchema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const keys = (issue.path ?? []).map((p) => String(p.key));
  const path = keys.slice(0, 2).join('.');
  if (isFieldPath(path)) throw badValue(path, issue.input);
  throw new ConfigError(
    'bad_value',
    `The configuration has a wrong value at ${path || 'its top'}.`,
    'Leave it out to take its default.',
    path,
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as it may stand in a sentence: short, on one line. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `"${printable(value)}"`;
  if (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value === null ||
    value === undefined
  )
    return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}
const printable = (text: string) =>
  [...text.slice(0, 40)].map((c) => (c < ' ' || c === '\u007f' ? ' ' : c)).join('') +
  (text.length > 40 ? '...' : '');

/** The known name nearest to a mistyped one, if it is near at all. */
function nearest(key: string, known: readonly string[]): string | undefined {
  if (key.length > 60) return undefined;
  let best: string | undefined;
  let least = 4;
  for (const name of known) {
    const bare = name.slice(name.indexOf('.') + 1);
    const d = Math.min(distance(key, name), key.includes('.') ? 9 : distance(key, bare));
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
