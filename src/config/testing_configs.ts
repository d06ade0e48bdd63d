/** Helpers of this room's tests. */
import { ConfigError, PRESETS, defaultConfig, fieldPaths, withField } from './index.ts';
import type { FieldPath, Preset, RunConfig } from './index.ts';

/** A configuration with some fields changed. */
export const withFields = (
  changes: Partial<Record<FieldPath, number | boolean | string>>,
  from: RunConfig = defaultConfig(),
): RunConfig =>
  fieldPaths().reduce((config, path) => {
    const value = changes[path];
    return value === undefined ? config : withField(config, path, value);
  }, from);

export function presetById(id: string): Preset {
  const preset = PRESETS.find((one) => one.id === id);
  if (!preset) throw new Error(`There is no preset ${id}.`);
  return preset;
}

/** The ConfigError that `read` throws. */
export function configErrorOf(read: () => unknown): ConfigError {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}
