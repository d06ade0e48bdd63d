/** In what the recipes of several runs differ. */
import {
  changedFields,
  fieldPaths,
  getField,
  labelOf,
  type FieldPath,
  type FieldValue,
  type RunConfig,
} from '../config/index.ts';

/** A field with its value in each recipe. */
export interface RecipeDifference {
  path: FieldPath;
  values: FieldValue[];
}

/** Fields that do not have the same value in all recipes, in the order of the form. */
export function recipeDifferences(configs: readonly RunConfig[]): RecipeDifference[] {
  const [first] = configs;
  if (!first) return [];
  const differing = new Set(configs.flatMap((config) => changedFields(config, first)));
  return fieldPaths()
    .filter((path) => differing.has(path))
    .map((path) => ({ path, values: configs.map((config) => getField(config, path)) }));
}

/** The field in words: "Learning rate". */
export const fieldTitle = (path: FieldPath): string => labelOf(path).name;

/** A value as a user reads it. */
export function valueText(path: FieldPath, value: FieldValue): string {
  switch (typeof value) {
    case 'boolean':
      return value ? 'yes' : 'no';
    case 'number':
      return String(value);
    case 'string':
      return labelOf(path).names?.[value] ?? value;
    default:
      return value.map((item) => (item === '' ? '(empty)' : item)).join(' · ') || 'none';
  }
}
