/**
 * training_state.json: what is needed, beside weights and moments, to go on as if nothing had happened.
 * Randomness is a function of (seed, step, ...), so seeds and step stand for the state of every generator.
 */
import * as v from 'valibot';
import { CONFIG_VERSION, RunConfigSchema, type RunConfig } from '../config/index.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { encodeJson, isRecord, parseRecord } from './json.ts';

export const STATE_VERSION = 1;

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const finite = v.pipe(v.number(), v.finite());
const numbers = v.pipe(v.record(v.pipe(v.string(), v.maxLength(64)), finite), v.check((r) => Object.keys(r).length <= 64, 'at most 64 entries'));

const StateSchema = v.strictObject({
  version: v.literal(STATE_VERSION),
  step: whole,
  tokens: whole,
  elapsed_seconds: v.pipe(finite, v.minValue(0)),
  best_val_loss: v.nullable(finite),
  /** Of the schedule: `learning_rate` set by hand, for example. */
  schedule: numbers,
  seeds: numbers,
  /** Where the batches stand, for a loader that does not follow from seed and step alone. */
  data_position: numbers,
  config: RunConfigSchema,
});
export type TrainingState = v.InferOutput<typeof StateSchema>;

export const writeTrainingState = (state: TrainingState): Uint8Array => encodeJson(state);

/** Throws `unknown_version`, `bad_state`, `bad_json`, `duplicate_name` or `forbidden_name`. */
export function readTrainingState(bytes: Uint8Array): TrainingState {
  const json = parseRecord(bytes, FILES.state);
  checkVersion(json.version, STATE_VERSION);
  if (isRecord(json.config) && json.config.version !== undefined) checkVersion(json.config.version, CONFIG_VERSION);
  return parse(StateSchema, json);
}

/** A RunConfig from a stranger (a file, a URL that was decoded). Throws `unknown_version` or `bad_state`. */
export function readRunConfig(json: unknown): RunConfig {
  if (isRecord(json) && json.version !== undefined) checkVersion(json.version, CONFIG_VERSION);
  return parse(RunConfigSchema, json);
}

function checkVersion(found: unknown, known: number): void {
  if (found === known) return;
  const what = typeof found === 'number' ? `version ${found}` : 'no version that is known';
  throw new CheckpointError('unknown_version', `${FILES.state} has ${what}, and this Terrarium reads version ${known}.`, 'Open it with the Terrarium that wrote it, or leave training_state.json out to keep only the weights.');
}

function parse<const T extends v.GenericSchema>(schema: T, json: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damaged('bad_state', FILES.state, `${shorten(v.getDotPath(issue) ?? 'a field')} is ${shorten(issue.received, 40)} where ${shorten(issue.expected ?? 'another value', 40)} should be`);
}
