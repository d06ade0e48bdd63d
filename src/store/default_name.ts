/** The name of a run that the user has not named: what was trained, and what differs from its preset. */
import {
  changedFields,
  getField,
  PRESETS,
  rangeOf,
  splitPath,
  type FieldPath,
  type RunConfig,
} from '../config/index.ts';
import type { FormState } from './form.ts';

export const CORPUS_NAMES: Record<RunConfig['data']['corpus'], string> = {
  names: 'Names',
  moby_dick: 'Moby Dick',
  kjv: 'Verses',
  sotu: 'Speeches',
  tiny_tales: 'Tiny tales',
  arithmetic: 'Arithmetic',
  own: 'Own text',
};

/** Short names of fields; the others are called by their key. */
const SHORT: Partial<Record<FieldPath, string>> = {
  'training.learning_rate': 'lr',
  'training.min_lr': 'min lr',
  'training.batch_size': 'batch',
  'training.gradient_accumulation_steps': 'accumulation',
  'training.max_iters': 'steps',
  'training.warmup_iters': 'warm-up',
  'training.muon_learning_rate': 'Muon lr',
  'model.n_layer': 'layers',
  'model.n_head': 'heads',
  'model.n_kv_head': 'kv heads',
  'model.n_embd': 'width',
  'model.n_inner': 'inner width',
  'model.block_size': 'context',
  'model.sliding_window': 'window',
  'tokenizer.vocab_size': 'vocabulary',
};

/** Differences that a name lists. */
const MAX_LISTED = 3;
const MAX_TEXT_NAME = 40;

/** What a name is made from. */
export type NamedRecipe = Pick<FormState, 'config' | 'base' | 'preset' | 'text'>;

/** "Names, lr 0.01": the preset or the text, and at most three of the fields that differ. */
export function defaultName(recipe: NamedRecipe): string {
  const { config, base } = recipe;
  const changes = changedFields(config, base).filter(isNamed);
  const listed = changes.slice(0, MAX_LISTED).map((path) => describeField(config, path));
  const more = changes.length - listed.length;
  if (more > 0) listed.push(`and ${more} more`);
  return [titleOf(recipe), ...listed].join(', ');
}

/** The name itself, or with a number if another run has it. */
export function uniqueName(name: string, taken: readonly string[]): string {
  let candidate = name;
  for (let number = 2; taken.includes(candidate); number += 1) candidate = `${name} (${number})`;
  return candidate;
}

/** The text is in the title; sampling and backend do not change what is learned. */
const isNamed = (path: FieldPath): boolean =>
  path !== 'data.corpus' && !path.startsWith('sampling.') && !path.startsWith('runtime.');

function titleOf({ config, base, preset, text }: NamedRecipe): string {
  const { corpus } = config.data;
  if (corpus === 'own' && text) return text.name.slice(0, MAX_TEXT_NAME);
  const chosen = PRESETS.find((one) => one.id === preset);
  return chosen && corpus === base.data.corpus ? chosen.title : CORPUS_NAMES[corpus];
}

/** A field with its value, as names have it: "lr 0.01". */
export function describeField(config: RunConfig, path: FieldPath): string {
  const value = getField(config, path);
  const name = fieldName(path);
  if (typeof value === 'boolean') return value ? name : `no ${name}`;
  // A choice says what it is about: "muon", "llama", "bpe".
  return rangeOf(path).kind === 'choice' ? String(value) : `${name} ${String(value)}`;
}

/** What names call a field. */
export const fieldName = (path: FieldPath): string =>
  SHORT[path] ?? splitPath(path).field.replaceAll('_', ' ');
