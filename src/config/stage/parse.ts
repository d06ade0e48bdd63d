/** Reads a StageConfig that came from elsewhere: `stage.json`, a recipe, the page. */
import * as v from 'valibot';
import { ConfigError } from '../errors.ts';
import { issueText } from './issues.ts';
import { StageConfigSchema, type StageConfig } from './schema.ts';

/** A stage with the defaults of every field. */
export const defaultStage = (): StageConfig => v.parse(StageConfigSchema, {});

/**
 * Reads a StageConfig from a value that JSON or structured cloning made; missing fields take their
 * defaults.
 *
 * @throws ConfigError
 */
export function parseStage(value: unknown): StageConfig {
  const result = v.safeParse(StageConfigSchema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? 'the top level';
  throw new ConfigError(
    'bad_value',
    `The settings of the stage cannot be read: ${issueText(issue)}.`,
    'Leave it out to use its default.',
    path,
  );
}
