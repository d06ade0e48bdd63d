/**
 * A configuration in the address of the page: `?v=1&model.n_layer=6`, non-defaults only, or
 * `?v=1&preset=names`.
 *
 * On reading, a preset may come with fields that change it. Lists repeat their key. Keys of
 * PAGE_KEYS belong to the page and are passed over. Whatever else is wrong is a ConfigError of one
 * sentence.
 */
import {
  changedFields,
  fieldPaths,
  getField,
  isFieldPath,
  rangeOf,
  type FieldPath,
  type FieldValue,
} from './fields.ts';
import {
  ConfigError,
  MAX_CONFIG_LENGTH,
  badValue,
  checkVersion,
  isAllowed,
  parseConfig,
  tooLong,
  unknownKey,
} from './parse.ts';
import { PRESETS } from './presets.ts';
import { CONFIG_VERSION, defaultConfig, type RunConfig } from './schema.ts';

/** Keys of the address that say how the page starts and are no part of the configuration. */
export const PAGE_KEYS: readonly string[] = ['headless', 'autostart'];

/** The query (with its `?`) that gives this configuration back. */
export function encodeConfig(config: RunConfig): string {
  const query = new URLSearchParams({ v: String(CONFIG_VERSION) });
  const preset = PRESETS.find((p) => changedFields(config, p.config).length === 0);
  if (preset) query.set('preset', preset.id);
  else for (const path of changedFields(config)) appendField(query, path, getField(config, path));
  return `?${query.toString()}`;
}

function appendField(query: URLSearchParams, path: FieldPath, value: FieldValue): void {
  if (typeof value !== 'object') query.append(path, String(value));
  // An empty list is written as one key that no list has, since no key at all means the default.
  else if (value.length === 0) query.append(`${path}.none`, '1');
  else for (const item of value) query.append(path, item);
}

/**
 * Reads the configuration from a query, with or without `?`; an empty one gives the defaults.
 * Throws ConfigError.
 */
export function decodeConfig(search: string): RunConfig {
  if (search.length > MAX_CONFIG_LENGTH) throw tooLong();
  const query = new URLSearchParams(search);
  const base = baseConfig(query);
  const sections: Record<string, Record<string, FieldValue>> = {};
  for (const path of fieldPaths()) put(sections, path, getField(base, path));
  for (const key of new Set(query.keys())) {
    if (key === 'v' || key === 'preset' || PAGE_KEYS.includes(key)) continue;
    if (key.endsWith('.none') && isListPath(key.slice(0, -5))) {
      putEmpty(sections, key, query);
      continue;
    }
    if (!isFieldPath(key)) throw unknownKey(key, fieldPaths());
    put(sections, key, readField(key, query.getAll(key)));
  }
  return parseConfig(sections);
}

/** True where the query says anything about the configuration. */
export const hasConfig = (search: string): boolean =>
  [...new URLSearchParams(search).keys()].some((key) => !PAGE_KEYS.includes(key));

/**
 * `text`, as it stands after a field's name in an address or on a command line, as a value of the
 * field. Throws ConfigError.
 */
export function readField(path: FieldPath, texts: readonly string[]): FieldValue {
  const range = rangeOf(path);
  const [text = ''] = texts;
  if (range.kind !== 'texts' && texts.length > 1) {
    throw new ConfigError(
      'duplicate_key',
      `The address gives ${path} more than once.`,
      'Keep one of them.',
      path,
    );
  }
  const value =
    range.kind === 'texts'
      ? [...texts]
      : range.kind === 'flag'
        ? text === 'true'
          ? true
          : text === 'false'
            ? false
            : text
        : range.kind === 'number'
          ? readNumber(text)
          : text;
  if (!isAllowed(path, value)) throw badValue(path, value);
  return value;
}

/** Decimal notation alone: `Number` would also take "", "0x10" and " 1 ". */
const readNumber = (text: string): number | string =>
  /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;

function baseConfig(query: URLSearchParams): RunConfig {
  for (const key of ['v', 'preset']) {
    if (query.getAll(key).length > 1)
      throw new ConfigError(
        'duplicate_key',
        `The address gives ${key} more than once.`,
        'Keep one of them.',
        key,
      );
  }
  const version = query.get('v');
  const id = query.get('preset');
  if (version !== null) checkVersion(readNumber(version));
  if (id === null) return defaultConfig();
  const preset = PRESETS.find((p) => p.id === id);
  if (!preset) {
    throw new ConfigError(
      'unknown_preset',
      `There is no preset ${JSON.stringify(id.slice(0, 40))}.`,
      `The presets are ${PRESETS.map((p) => p.id).join(', ')}.`,
      'preset',
    );
  }
  return preset.config;
}

const isListPath = (path: string): path is FieldPath =>
  isFieldPath(path) && rangeOf(path).kind === 'texts';

function putEmpty(
  sections: Record<string, Record<string, FieldValue>>,
  key: string,
  query: URLSearchParams,
): void {
  const path = key.slice(0, -5);
  if (query.has(path))
    throw new ConfigError(
      'duplicate_key',
      `The address gives ${path} and says that it is empty.`,
      'Keep one of them.',
      path,
    );
  put(sections, path, []);
}

function put(
  sections: Record<string, Record<string, FieldValue>>,
  path: string,
  value: FieldValue,
): void {
  const dot = path.indexOf('.');
  const section = path.slice(0, dot);
  sections[section] = { ...sections[section], [path.slice(dot + 1)]: value };
}
