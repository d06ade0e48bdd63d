/**
 * A configuration in the address of the page: `?v=1&model.n_layer=6` lists what differs from the
 * defaults, `?v=1&preset=names` names a preset. `address.ts` reads it.
 */
import { readAddress, EMPTY_LIST } from './address.ts';
import { changedFields, getField, type FieldPath, type FieldValue } from './fields.ts';
import { fieldsAfterLayout } from './layout.ts';
import { PRESETS, type Preset } from './presets.ts';
import { CONFIG_VERSION, defaultConfig, type RunConfig } from './schema.ts';

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

/**
 * Returns the query of a lesson in which a student may change the fields in `open`. `preset`: the
 * one that the configuration was made from, if any.
 */
export function encodeLesson(
  config: RunConfig,
  open: readonly FieldPath[],
  preset: Preset | null,
): string {
  const query = new URLSearchParams({ v: String(CONFIG_VERSION) });
  if (preset) query.set('preset', preset.id);
  query.set('lesson', '1');
  for (const path of open) appendField(query, path, getField(config, path));
  for (const path of pathsToList(config, preset?.config, open)) {
    if (open.includes(path)) continue;
    appendField(query, path, getField(config, path));
    query.append('locked', path);
  }
  return `?${query.toString()}`;
}

/**
 * What differs from `base`, and other values that would follow the layout if it is among these or
 * among `open`.
 */
function pathsToList(
  config: RunConfig,
  base = defaultConfig(),
  open: readonly FieldPath[] = [],
): FieldPath[] {
  const changed = changedFields(config, base);
  if (!changed.includes('model.layout') && !open.includes('model.layout')) return changed;
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
 * @throws ConfigError for the first problem of the address.
 */
export function decodeConfig(search: string): RunConfig {
  const { config, problems } = readAddress(search);
  const [problem] = problems;
  if (problem) throw problem;
  return config;
}

/** Whether the query says anything about the configuration. */
export const hasConfig = (search: string): boolean => readAddress(search).given;
