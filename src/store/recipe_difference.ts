/** In what the recipes of several runs differ. */
import {
  changedFields,
  fieldPaths,
  getField,
  splitPath,
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

/** Names of fields whose key alone would not be understood. */
const TITLES: Readonly<Partial<Record<FieldPath, string>>> = {
  'model.n_layer': 'Layers',
  'model.n_head': 'Attention heads',
  'model.n_kv_head': 'Key-value heads',
  'model.n_embd': 'Width',
  'model.n_inner': 'Feed-forward width',
  'model.block_size': 'Context length',
  'training.learning_rate': 'Learning rate',
  'training.max_iters': 'Steps',
  'training.warmup_iters': 'Warm-up steps',
  'training.eval_iters': 'Batches per evaluation',
  'training.beta1': 'Adam beta 1',
  'training.beta2': 'Adam beta 2',
  'data.corpus': 'Training text',
  'tokenizer.kind': 'Tokenizer',
};

/** The field in words: "Learning rate". */
export function fieldTitle(path: FieldPath): string {
  const { field } = splitPath(path);
  const words = field.replaceAll('_', ' ');
  return TITLES[path] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value as a user reads it. */
export function valueText(value: FieldValue): string {
  switch (typeof value) {
    case 'boolean':
      return value ? 'yes' : 'no';
    case 'number':
    case 'string':
      return String(value);
    default:
      return value.map((item) => (item === '' ? '(empty)' : item)).join(' · ') || 'none';
  }
}
