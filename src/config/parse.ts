/**
 * Reads a RunConfig that came from elsewhere (a URL, a checkpoint, a file). Its input is untrusted:
 * every failure is a ConfigError, and no key of the input reaches an object of ours except through
 * the schema.
 */
import * as v from 'valibot';
import { ConfigError, badValue, unknownKey, unknownVersion } from './errors.ts';
import {
  SECTIONS,
  fieldPaths,
  isFieldPath,
  rangeOf,
  splitPath,
  type FieldPath,
  type FieldValue,
  type Section,
} from './fields.ts';
import { CONFIG_VERSION, RunConfigSchema, type RunConfig } from './schema.ts';

/**
 * Reads a RunConfig from a value that JSON or structured cloning made; missing fields take their
 * defaults.
 *
 * @throws ConfigError
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
    const section = SECTIONS.find((known) => known === key);
    if (!section) throw unknownKey(key, SECTIONS);
    checkKeys(section, value[key]);
  }
  return validate(value);
}

/** @throws ConfigError unless this is the version that this code reads. */
export function checkVersion(version: unknown): void {
  if (version !== CONFIG_VERSION) throw unknownVersion(version);
}

/** Whether a field accepts this value. */
export function isAllowed(path: FieldPath, value: unknown): value is FieldValue {
  const range = rangeOf(path);
  switch (range.kind) {
    case 'number': {
      if (typeof value !== 'number') return false;
      if (range.integer && !Number.isInteger(value)) return false;
      return value >= range.min && value <= range.max;
    }
    case 'flag':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && range.options.includes(value);
    case 'texts': {
      if (!Array.isArray(value) || value.length > range.max_items) return false;
      return value.every((text) => typeof text === 'string' && text.length <= range.max_length);
    }
    default:
      return range satisfies never;
  }
}

/**
 * Returns a copy with one field set.
 *
 * @throws ConfigError if the field does not accept the value.
 */
export function withField(config: RunConfig, path: FieldPath, value: FieldValue): RunConfig {
  if (!isAllowed(path, value)) throw badValue(path, value);
  const { section, field } = splitPath(path);
  return validate({ ...config, [section]: { ...config[section], [field]: value } });
}

function checkKeys(section: Section, fields: unknown): void {
  if (!isRecord(fields))
    throw new ConfigError(
      'bad_value',
      `The section ${section} of the configuration is not an object.`,
      'Leave it out to use its defaults.',
      section,
    );
  for (const field of Object.keys(fields)) {
    const path = `${section}.${field}`;
    if (!isFieldPath(path)) throw unknownKey(path, fieldPaths());
  }
}

function validate(value: unknown): RunConfig {
  const result = v.safeParse(RunConfigSchema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const keys = (issue.path ?? []).map((item) => String(item.key));
  const path = keys.slice(0, 2).join('.');
  if (isFieldPath(path)) throw badValue(path, issue.input);
  throw new ConfigError(
    'bad_value',
    `The configuration has a wrong value at ${path || 'the top level'}.`,
    'Leave it out to use its default.',
    path,
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
