/**
 * Fields of a StageConfig by path (`grpo.num_generations`): the values that the schema accepts, and
 * reading and changing one.
 */
import { readNumberRange, type FieldRange } from '../fields.ts';
import {
  DatasetSchema,
  DpoSchema,
  GrpoSchema,
  PeftSchema,
  PpoSchema,
  RewardSchema,
  RewardsSchema,
  SftSchema,
  type StageConfig,
} from './schema.ts';

export type StageSection = Exclude<keyof StageConfig, 'objective'>;
export type StageFieldPath = {
  [S in StageSection]: `${S}.${Extract<keyof StageConfig[S], string>}`;
}[StageSection];
export type StageFieldValue = number | boolean | string;
export type StageFieldRange = Exclude<FieldRange, { kind: 'texts' }>;

const SCHEMAS = {
  dataset: DatasetSchema,
  peft: PeftSchema,
  sft: SftSchema,
  reward: RewardSchema,
  dpo: DpoSchema,
  ppo: PpoSchema,
  grpo: GrpoSchema,
  rewards: RewardsSchema,
} satisfies Record<StageSection, unknown>;

type Schemas = typeof SCHEMAS;
type Entry = {
  [S in StageSection]: Schemas[S]['entries'][keyof Schemas[S]['entries']];
}[StageSection];

/** In the order of the form. */
export const STAGE_SECTIONS: readonly StageSection[] = [
  'dataset',
  'peft',
  'sft',
  'reward',
  'dpo',
  'ppo',
  'grpo',
  'rewards',
];

const ranges: ReadonlyMap<string, StageFieldRange> = /* @__PURE__ */ readRanges();

function readRanges(): Map<string, StageFieldRange> {
  const found = new Map<string, StageFieldRange>();
  for (const section of STAGE_SECTIONS) {
    const entries: Readonly<Record<string, Entry>> = SCHEMAS[section].entries;
    for (const [field, entry] of Object.entries(entries))
      found.set(`${section}.${field}`, readRange(entry));
  }
  return found;
}

function readRange(entry: Entry): StageFieldRange {
  const { wrapped } = entry;
  switch (wrapped.type) {
    case 'number':
      return { kind: 'number', ...readNumberRange(wrapped), default: Number(entry.default) };
    case 'boolean':
      return { kind: 'flag', default: entry.default === true };
    case 'picklist':
      return { kind: 'choice', options: wrapped.options, default: String(entry.default) };
    default:
      return wrapped satisfies never;
  }
}

/** Whether a StageConfig has this path. */
export const isStageField = (path: string): path is StageFieldPath => ranges.has(path);

/** Every path, or those of one section, in the order of the schema. */
export const stageFields = (section?: StageSection): StageFieldPath[] =>
  [...ranges.keys()]
    .filter(isStageField)
    .filter((path) => section === undefined || path.startsWith(`${section}.`));

/** Limits, options and default of a field. */
export function stageRange(path: StageFieldPath): StageFieldRange {
  const range = ranges.get(path);
  if (!range) throw new Error(`The schema of a stage has no field ${path}.`);
  return range;
}

/** "grpo.beta" as its section and its name in there. */
export function splitStagePath(path: StageFieldPath): { section: StageSection; field: string } {
  const section = STAGE_SECTIONS.find((name) => path.startsWith(`${name}.`));
  if (!section) throw new Error(`The schema of a stage has no field ${path}.`);
  return { section, field: path.slice(section.length + 1) };
}

export function getStageField(stage: StageConfig, path: StageFieldPath): StageFieldValue {
  const { section, field } = splitStagePath(path);
  const values: Readonly<Record<string, StageFieldValue>> = stage[section];
  const value = values[field];
  if (value === undefined) throw new Error(`The stage has no field ${path}.`);
  return value;
}

/** Whether the schema accepts a value. */
export function isStageValue(path: StageFieldPath, value: StageFieldValue): boolean {
  const range = stageRange(path);
  switch (range.kind) {
    case 'flag':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && range.options.includes(value);
    case 'number':
      return (
        typeof value === 'number' &&
        value >= range.min &&
        value <= range.max &&
        (!range.integer || Number.isInteger(value))
      );
    default:
      return range satisfies never;
  }
}

/** The stage with one field changed; `value` must be one that the schema accepts. */
export function withStageField(
  stage: StageConfig,
  path: StageFieldPath,
  value: StageFieldValue,
): StageConfig {
  const { section, field } = splitStagePath(path);
  return { ...stage, [section]: { ...stage[section], [field]: value } };
}

/** Paths whose values differ between two stages. */
export const changedStageFields = (stage: StageConfig, from: StageConfig): StageFieldPath[] =>
  stageFields().filter((path) => getStageField(stage, path) !== getStageField(from, path));

/** Sections that a stage reads besides the data set and the adapter. */
export function sectionsOf({
  objective,
  ppo,
}: Pick<StageConfig, 'objective' | 'ppo'>): readonly StageSection[] {
  switch (objective) {
    case 'sft':
    case 'reward':
    case 'dpo':
      return [objective];
    case 'ppo':
      return ppo.score === 'task' ? ['ppo', 'rewards'] : ['ppo'];
    case 'grpo':
      return ['grpo', 'rewards'];
    default:
      return objective satisfies never;
  }
}
