/**
 * lineage.json: the objective of a run, its dataset, and the run or folder that its weights came
 * from. A file of its own, because earlier versions refuse unknown keys in training_state.json and
 * drop them from the index of stored runs.
 */
import * as v from 'valibot';
import type { Lineage, Parent } from '../common/index.ts';
import { SPLIT_VERSION } from '../data/index.ts';
import { damaged, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { encodeJson, parseRecord } from './json.ts';

/** What a checkpoint without lineage.json is: every run was pretraining before the file existed. */
export const DEFAULT_LINEAGE: Lineage = Object.freeze({
  objective: 'pretrain',
  parent: null,
  dataset: '',
});

const MAX_TEXT = 400;
const MAX_ID = 64;

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT));
const id = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_ID));
const step = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));

const ParentSchema = v.variant('kind', [
  v.object({ kind: v.literal('run'), run: id, name: text, step }),
  v.object({ kind: v.literal('imported'), name: text }),
]);
/** Unknown keys are ignored, so that a later version may add some. */
const LineageSchema = v.object({
  /** Unknown names are valid here; the worker decides which objectives it can continue. */
  objective: id,
  parent: v.nullable(ParentSchema),
  dataset: text,
  /** One that only a later version knows is read as the newest that this one knows. */
  split_version: v.optional(v.fallback(v.picklist([1, 2]), SPLIT_VERSION)),
});

/** Encodes lineage.json. Names that are too long to be read back are cut. */
export const writeLineage = (lineage: Lineage): Uint8Array => encodeJson(limited(lineage));

/** Throws `bad_state`, `bad_json`, `duplicate_name` or `forbidden_name`. */
export function readLineage(bytes: Uint8Array): Lineage {
  const result = v.safeParse(LineageSchema, parseRecord(bytes, FILES.lineage));
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = shorten(v.getDotPath(issue) ?? 'a field');
  const expected = shorten(issue.expected ?? 'another value', 40);
  const what = `${field} is ${shorten(issue.received, 40)}, but ${expected} was expected`;
  throw damaged('bad_state', FILES.lineage, what);
}

/** Checks a value that was parsed already; null unless it is a lineage. */
export function parseLineage(value: unknown): Lineage | null {
  const result = v.safeParse(LineageSchema, value);
  return result.success ? result.output : null;
}

/** A lineage whose names are short enough to be read back. */
export function limited(lineage: Lineage): Lineage {
  const { parent, dataset } = lineage;
  return { ...lineage, parent: parent && limitedParent(parent), dataset: cut(dataset) };
}

function limitedParent(parent: Parent): Parent {
  return { ...parent, name: cut(parent.name) };
}

const cut = (name: string): string => name.slice(0, MAX_TEXT);
