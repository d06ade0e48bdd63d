/**
 * Records that a run gathers beside its checkpoints, one JSON object a line: votes, answers that
 * were sampled for training, and evaluations. Lines that cannot be read are skipped.
 */
import * as v from 'valibot';
import type { EvaluationRecord, RolloutRecord, Vote } from '../common/index.ts';
import { isRecord } from './json.ts';

/** One kind of record. */
export interface RecordKind<T> {
  /** The file in an export; storage has two that take turns. */
  file: string;
  /** Null unless the value is a record of this kind. */
  parse(value: unknown): T | null;
  /** A file with more bytes is followed by the other one; the oldest records go. */
  max_bytes: number;
}

const MAX_TEXT = 100_000;
const text = v.pipe(v.string(), v.maxLength(MAX_TEXT));
const finite = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** JSON has no NaN: `JSON.stringify` writes null. */
const numberOrNaN = v.pipe(
  v.nullable(v.number()),
  v.transform((value) => value ?? NaN),
);

const Message = v.object({ role: v.picklist(['system', 'user', 'assistant']), content: text });
const Turns = v.union([text, v.pipe(v.array(Message), v.maxLength(1000))]);

const VoteLine = v.object({
  run: text,
  step: count,
  prompt: Turns,
  answers: v.tuple([text, text]),
  choice: v.nullable(v.picklist([0, 1])),
  at: finite,
});

const RolloutLine = v.object({
  step: count,
  prompt: text,
  completion: text,
  rewards: v.record(v.string(), finite),
  advantage: v.nullable(finite),
  ended: v.boolean(),
  completion_ids: v.array(count),
  old_logps: v.array(finite),
});

const Checkpoint = v.object({
  run: v.nullable(text),
  name: text,
  weights: v.picklist(['last', 'best']),
  step: count,
});

const EvaluationLine = v.object({
  at: finite,
  model: Checkpoint,
  objective: text,
  parent: v.nullable(Checkpoint),
  reward_model: v.nullable(Checkpoint),
  settings: v.object({
    task: text,
    seed: finite,
    items: count,
    temperature: finite,
    max_new_tokens: count,
    k: count,
    samples: count,
    preference: text,
    variant: text,
  }),
  seconds: finite,
  values: v.array(
    v.object({
      metric: text,
      value: numberOrNaN,
      low: numberOrNaN,
      high: numberOrNaN,
      n: count,
      interval: v.picklist(['wilson', 'mean', 'clustered', 'paired']),
      items: v.exactOptional(v.array(numberOrNaN)),
    }),
  ),
  notes: v.array(text),
});

const MEGABYTE = 2 ** 20;

export const VOTES: RecordKind<Vote> = {
  file: 'votes.jsonl',
  parse: (value) => parsed(VoteLine, value),
  max_bytes: 16 * MEGABYTE,
};

/** Votes on the answers of its parent that a stage trains on: as they were when it began. */
export const TRAINING_VOTES: RecordKind<Vote> = { ...VOTES, file: 'training_votes.jsonl' };

export const ROLLOUTS: RecordKind<RolloutRecord> = {
  file: 'rollouts.jsonl',
  parse: (value) => parsed(RolloutLine, value),
  max_bytes: 6 * MEGABYTE,
};

export const EVALUATIONS: RecordKind<EvaluationRecord> = {
  file: 'evaluations.jsonl',
  parse: (value) => parsed(EvaluationLine, value),
  max_bytes: 16 * MEGABYTE,
};

function parsed<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T | null {
  const result = v.safeParse(schema, value);
  return result.success ? result.output : null;
}

/** The lines of these records, each with a line break. */
export const recordLines = (records: readonly unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

/** Takes the record before it back. */
export const UNDO_LINE = '{"undo":true}\n';

/** Records of later steps do not count: the run continued from this one. */
export const resumeRecordsLine = (step: number): string => `{"resume":${step}}\n`;

/** Applies the lines in their order. */
export function readRecords<T>(content: string, kind: RecordKind<T>): T[] {
  let records: T[] = [];
  for (const line of content.split('\n')) {
    const value = jsonOf(line);
    if (!isRecord(value)) continue;
    const { undo, resume } = value;
    if (undo === true) records.pop();
    else if (typeof resume === 'number') records = records.filter((one) => stepOf(one) <= resume);
    else {
      const record = kind.parse(value);
      if (record !== null) records.push(record);
    }
  }
  return records;
}

const stepOf = (record: unknown): number =>
  isRecord(record) && typeof record.step === 'number' ? record.step : 0;

function jsonOf(line: string): unknown {
  if (line === '') return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
