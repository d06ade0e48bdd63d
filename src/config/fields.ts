/**
 * Fields of a RunConfig by path (`model.n_layer`): their ranges, as the schema has them, and
 * reading and setting one.
 */
import type * as v from 'valibot';
import {
  DataSchema,
  ModelSchema,
  RuntimeSchema,
  SamplingSchema,
  TokenizerSchema,
  TrainingSchema,
  defaultConfig,
  type RunConfig,
} from './schema.ts';

export type Section = Exclude<keyof RunConfig, 'version'>;
export type FieldPath = { [S in Section]: `${S}.${Extract<keyof RunConfig[S], string>}` }[Section];
export type FieldValue = number | boolean | string | readonly string[];

/** What a field admits, read from the schema. */
export type FieldRange =
  | { kind: 'number'; integer: boolean; min: number; max: number; default: number }
  | { kind: 'flag'; default: boolean }
  | { kind: 'choice'; options: readonly string[]; default: string }
  | { kind: 'texts'; max_items: number; max_length: number; default: readonly string[] };

const SCHEMAS = {
  data: DataSchema,
  tokenizer: TokenizerSchema,
  model: ModelSchema,
  training: TrainingSchema,
  sampling: SamplingSchema,
  runtime: RuntimeSchema,
} satisfies Record<Section, unknown>;

type Schemas = typeof SCHEMAS;
type Entry = { [S in Section]: Schemas[S]['entries'][keyof Schemas[S]['entries']] }[Section];

export const SECTIONS: readonly Section[] = [
  'data',
  'tokenizer',
  'model',
  'training',
  'sampling',
  'runtime',
];

const ranges: ReadonlyMap<string, FieldRange> = readRanges();

function readRanges(): Map<string, FieldRange> {
  const map = new Map<string, FieldRange>();
  for (const section of SECTIONS) {
    const entries: Readonly<Record<string, Entry>> = SCHEMAS[section].entries;
    for (const [field, entry] of Object.entries(entries))
      map.set(`${section}.${field}`, readRange(entry));
  }
  return map;
}

function readRange(entry: Entry): FieldRange {
  const wrapped = entry.wrapped;
  switch (wrapped.type) {
    case 'number': {
      let min = -Infinity;
      let max = Infinity;
      let integer = false;
      for (const step of wrapped.pipe) {
        if (step.type === 'min_value') min = step.requirement;
        else if (step.type === 'max_value') max = step.requirement;
        else if (step.type === 'integer') integer = true;
      }
      return { kind: 'number', integer, min, max, default: Number(entry.default) };
    }
    case 'boolean':
      return { kind: 'flag', default: entry.default === true };
    case 'picklist':
      return { kind: 'choice', options: wrapped.options, default: String(entry.default) };
    case 'array':
      return {
        kind: 'texts',
        max_items: lengthLimit(wrapped.pipe),
        max_length: lengthLimit(wrapped.item.pipe),
        default: defaultConfig().sampling.prompts,
      };
    default:
      return wrapped satisfies never;
  }
}

function lengthLimit(pipe: readonly { type: string }[]): number {
  for (const step of pipe) if (isMaxLength(step)) return step.requirement;
  return Infinity;
}
function isMaxLength(step: { type: string }): step is v.MaxLengthAction<string, number, undefined> {
  return step.type === 'max_length';
}

/** True for a path that a RunConfig has. */
export const isFieldPath = (path: string): path is FieldPath => ranges.has(path);

/** Every path, in the schema's order. */
export const fieldPaths = (): FieldPath[] => [...ranges.keys()].filter(isFieldPath);

/** Limits, options and default of a field. */
export function rangeOf(path: FieldPath): FieldRange {
  const range = ranges.get(path);
  if (!range) throw new Error(`The schema has no field ${path}.`);
  return range;
}

const split = (path: string): [string, string] => {
  const dot = path.indexOf('.');
  return [path.slice(0, dot), path.slice(dot + 1)];
};
const sectionOf = (name: string): Section | undefined => SECTIONS.find((s) => s === name);

/** The value of a field. */
export function getField(config: RunConfig, path: FieldPath): FieldValue {
  const [section, field] = split(path);
  const name = sectionOf(section);
  const values: Readonly<Record<string, FieldValue>> = name ? config[name] : {};
  const value = values[field];
  if (value === undefined) throw new Error(`The configuration has no field ${path}.`);
  return value;
}

/** True where the two values of a field are the same. */
export function sameValue(a: FieldValue, b: FieldValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** Paths whose values differ between two configurations. */
export const changedFields = (config: RunConfig, from: RunConfig = defaultConfig()): FieldPath[] =>
  fieldPaths().filter((path) => !sameValue(getField(config, path), getField(from, path)));
