/**
 * Fields of a RunConfig by path (`model.n_layer`): the values that the schema accepts, and reading
 * one.
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

/** The values that a field accepts, and its default, read from the schema. */
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
/** The schema of one field: `v.optional(...)` around a schema of its value. */
type Entry = { [S in Section]: Schemas[S]['entries'][keyof Schemas[S]['entries']] }[Section];
type NumberSchema = Extract<Entry['wrapped'], { type: 'number' }>;

/** In the order of the form. */
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
  const found = new Map<string, FieldRange>();
  for (const section of SECTIONS) {
    const entries: Readonly<Record<string, Entry>> = SCHEMAS[section].entries;
    for (const [field, entry] of Object.entries(entries))
      found.set(`${section}.${field}`, readRange(entry));
  }
  return found;
}

function readRange(entry: Entry): FieldRange {
  const { wrapped } = entry;
  switch (wrapped.type) {
    case 'number':
      return { kind: 'number', ...readNumberRange(wrapped), default: Number(entry.default) };
    case 'boolean':
      return { kind: 'flag', default: entry.default === true };
    case 'picklist':
      return { kind: 'choice', options: wrapped.options, default: String(entry.default) };
    case 'array':
      return {
        kind: 'texts',
        max_items: readMaxLength(wrapped.pipe),
        max_length: readMaxLength(wrapped.item.pipe),
        default: defaultConfig().sampling.prompts,
      };
    default:
      return wrapped satisfies never;
  }
}

/** Limits of a number, read from the checks of its schema. */
export function readNumberRange(schema: Pick<NumberSchema, 'pipe'>): {
  integer: boolean;
  min: number;
  max: number;
} {
  const range = { integer: false, min: -Infinity, max: Infinity };
  for (const action of schema.pipe) {
    if (action.type === 'min_value') range.min = action.requirement;
    else if (action.type === 'max_value') range.max = action.requirement;
    else if (action.type === 'integer') range.integer = true;
  }
  return range;
}

function readMaxLength(pipe: readonly { type: string }[]): number {
  return pipe.find(isMaxLength)?.requirement ?? Infinity;
}

function isMaxLength(action: {
  type: string;
}): action is v.MaxLengthAction<string, number, undefined> {
  return action.type === 'max_length';
}

/** Whether a RunConfig has this path. */
export const isFieldPath = (path: string): path is FieldPath => ranges.has(path);

/** Every path, in the order of the schema. */
export const fieldPaths = (): FieldPath[] => [...ranges.keys()].filter(isFieldPath);

/** Limits, options and default of a field. */
export function rangeOf(path: FieldPath): FieldRange {
  const range = ranges.get(path);
  if (!range) throw new Error(`The schema has no field ${path}.`);
  return range;
}

/** "model.n_layer" as its section and its name in there. */
export function splitPath(path: FieldPath): { section: Section; field: string } {
  const section = SECTIONS.find((name) => path.startsWith(`${name}.`));
  if (!section) throw new Error(`The schema has no field ${path}.`);
  return { section, field: path.slice(section.length + 1) };
}

/** The value of a field. */
export function getField(config: RunConfig, path: FieldPath): FieldValue {
  const { section, field } = splitPath(path);
  const values: Readonly<Record<string, FieldValue>> = config[section];
  const value = values[field];
  if (value === undefined) throw new Error(`The configuration has no field ${path}.`);
  return value;
}

/** Whether two values of a field are the same; lists are compared by their items. */
function sameValue(a: FieldValue, b: FieldValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** Paths whose values differ between two configurations. */
export const changedFields = (config: RunConfig, from: RunConfig = defaultConfig()): FieldPath[] =>
  fieldPaths().filter((path) => !sameValue(getField(config, path), getField(from, path)));
