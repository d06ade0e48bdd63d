/**
 * A configuration in the address of the page: `?v=1&model.n_layer=6` lists what differs from the
 * defaults, `?v=1&preset=names` names a preset.
 *
 * On reading, a preset may come with fields that change it. Lists repeat their key. Keys in
 * PAGE_KEYS belong to the page and are ignored; anything else that is wrong is a ConfigError.
 */
import {
  ConfigError,
  MAX_CONFIG_LENGTH,
  badValue,
  duplicateKey,
  tooLong,
  unknownKey,
} from './errors.ts';
import {
  changedFields,
  fieldPaths,
  getField,
  isFieldPath,
  rangeOf,
  splitPath,
  type FieldPath,
  type FieldValue,
} from './fields.ts';
import { fieldsAfterLayout } from './layout.ts';
import { checkVersion, isAllowed, parseConfig, withField } from './parse.ts';
import { PRESETS } from './presets.ts';
import { CONFIG_VERSION, defaultConfig, type RunConfig } from './schema.ts';

/** Keys of the address that say how the page starts, and are not part of the configuration. */
const PAGE_KEYS: readonly string[] = ['headless', 'autostart'];

/** `sampling.prompts.none=1` is an empty list, since a list without any key has its default. */
const EMPTY_LIST = '.none';

/** Fields by section, as they are read from the address. */
type Sections = Record<string, Record<string, FieldValue>>;

/** Returns the query, with its `?`, from which `decodeConfig` reads this configuration. */
export function encodeConfig(config: RunConfig): string {
  const query = new URLSearchParams({ v: String(CONFIG_VERSION) });
  const preset = PRESETS.find((one) => changedFields(config, one.config).length === 0);
  if (preset) {
    query.set('preset', preset.id);
    return `?${query.toString()}`;
  }
  for (const path of pathsToList(config)) appendField(query, path, getField(config, path));
  return `?${query.toString()}`;
}

/** What differs from the defaults, and defaults that would otherwise follow the layout. */
function pathsToList(config: RunConfig): FieldPath[] {
  const changed = changedFields(config);
  if (!changed.includes('model.layout')) return changed;
  const following = fieldsAfterLayout(config.model).map(([path]) => path);
  return [...changed, ...following.filter((path) => !changed.includes(path))];
}

function appendField(query: URLSearchParams, path: FieldPath, value: FieldValue): void {
  if (typeof value !== 'object') query.append(path, String(value));
  else if (value.length === 0) query.append(path + EMPTY_LIST, '1');
  else for (const item of value) query.append(path, item);
}

/**
 * Reads the configuration from a query, with or without `?`; an empty query gives the defaults.
 *
 * @throws ConfigError
 */
export function decodeConfig(search: string): RunConfig {
  if (search.length > MAX_CONFIG_LENGTH) throw tooLong();
  const query = new URLSearchParams(search);
  const base = baseConfig(query);
  const sections: Sections = {};
  for (const path of fieldPaths()) setIn(sections, path, getField(base, path));
  for (const key of new Set(query.keys())) {
    if (key === 'v' || key === 'preset' || PAGE_KEYS.includes(key)) continue;
    const emptied = emptiedList(key);
    if (emptied) {
      if (query.has(emptied))
        throw duplicateKey(emptied, `values for ${emptied}, and that it is empty`);
      setIn(sections, emptied, []);
      continue;
    }
    if (!isFieldPath(key)) throw unknownKey(key, fieldPaths());
    setIn(sections, key, readField(key, query.getAll(key)));
  }
  const config = parseConfig(sections);
  return query.has('model.layout') ? followLayout(config, query) : config;
}

/** Fields that the address leaves out follow its layout: a Llama has SiLU unless it says otherwise. */
const followLayout = (config: RunConfig, query: URLSearchParams): RunConfig =>
  fieldsAfterLayout(config.model)
    .filter(([path]) => !query.has(path))
    .reduce((next, [path, value]) => withField(next, path, value), config);

/** Whether the query says anything about the configuration. */
export const hasConfig = (search: string): boolean =>
  [...new URLSearchParams(search).keys()].some((key) => !PAGE_KEYS.includes(key));

/**
 * Reads the value of a field from the texts that the address gives for it.
 *
 * @throws ConfigError
 */
function readField(path: FieldPath, texts: readonly string[]): FieldValue {
  const value = readValue(path, texts);
  if (!isAllowed(path, value)) throw badValue(path, value);
  return value;
}

/** Text that the field's type does not read stays text, which `isAllowed` then refuses. */
function readValue(path: FieldPath, texts: readonly string[]): FieldValue {
  const { kind } = rangeOf(path);
  if (kind === 'texts') return [...texts];
  if (texts.length > 1) throw duplicateKey(path);
  const [text = ''] = texts;
  switch (kind) {
    case 'number':
      return readNumber(text);
    case 'flag':
      return readFlag(text);
    case 'choice':
      return text;
    default:
      return kind satisfies never;
  }
}

/** Accepts decimal notation only: `Number` would also read "", "0x10" and " 1 ". */
const readNumber = (text: string): number | string =>
  /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;

function readFlag(text: string): boolean | string {
  if (text === 'true') return true;
  return text === 'false' ? false : text;
}

/** The preset that the query names, else the defaults. Checks the version too. */
function baseConfig(query: URLSearchParams): RunConfig {
  for (const key of ['v', 'preset']) if (query.getAll(key).length > 1) throw duplicateKey(key);
  const version = query.get('v');
  if (version !== null) checkVersion(readNumber(version));
  const id = query.get('preset');
  if (id === null) return defaultConfig();
  const preset = PRESETS.find((one) => one.id === id);
  if (!preset) {
    throw new ConfigError(
      'unknown_preset',
      `There is no preset ${JSON.stringify(id.slice(0, 40))}.`,
      `The presets are ${PRESETS.map((one) => one.id).join(', ')}.`,
      'preset',
    );
  }
  return preset.config;
}

/** The list that a key such as `sampling.prompts.none` says is empty. */
function emptiedList(key: string): FieldPath | null {
  if (!key.endsWith(EMPTY_LIST)) return null;
  const path = key.slice(0, -EMPTY_LIST.length);
  return isFieldPath(path) && rangeOf(path).kind === 'texts' ? path : null;
}

function setIn(sections: Sections, path: FieldPath, value: FieldValue): void {
  const { section, field } = splitPath(path);
  sections[section] = { ...sections[section], [field]: value };
}
