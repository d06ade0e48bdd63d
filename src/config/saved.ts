/**
 * A configuration as it is written to files and to the library's index. Pages of earlier versions
 * refuse fields that they do not know, and two versions may share one storage, so fields that were
 * added later are written only where they are not the default.
 */
import { rangeOf, SECTIONS, type FieldPath } from './fields.ts';
import type { RunConfig } from './schema.ts';

/** Fields that the first version with saved runs did not have. */
const ADDED_FIELDS: readonly FieldPath[] = [
  'model.head_dim',
  'model.qkv_bias',
  'model.rope_factor',
  'training.early_stopping_patience',
  'training.early_stopping_threshold',
  'training.recompute_granularity',
];

/** What JSON gets of a configuration; `parseConfig` reads it back. */
export function savedConfig(config: RunConfig): Record<string, unknown> {
  const saved: Record<string, unknown> = { version: config.version };
  for (const section of SECTIONS) {
    const fields = Object.entries(config[section]).filter(
      ([field, value]) => !isAddedDefault(`${section}.${field}`, value),
    );
    saved[section] = Object.fromEntries(fields);
  }
  return saved;
}

function isAddedDefault(path: string, value: unknown): boolean {
  const added = ADDED_FIELDS.find((field) => field === path);
  return added !== undefined && value === rangeOf(added).default;
}
