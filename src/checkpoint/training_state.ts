/**
 * training_state.json: what is needed, beside weights and moments, to go on as if nothing had
 * happened. Randomness is a function of (seed, step, ...), so seeds and step stand for the state of
 * every generator.
 */
import * as v from 'valibot';
import { ConfigError, parseConfig, type RunConfig } from '../config/index.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { encodeJson, parseRecord } from './json.ts';

export const STATE_VERSION = 1;

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const finite = v.pipe(v.number(), v.finite());
const numbers = v.pipe(
  v.record(v.pipe(v.string(), v.maxLength(64)), finite),
  v.check((r) => Object.keys(r).length <= 64, 'at most 64 entries'),
);

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
  /** Of mixed precision; left out where a run has none. */
  loss_scale: v.optional(
    v.strictObject({
      scale: v.pipe(
        finite,
        v.minValue(2 ** -126),
        v.maxValue(2 ** 126),
        v.check((scale) => Number.isInteger(Math.log2(scale)), 'a power of two'),
      ),
      clean_steps: whole,
      skipped_updates: whole,
    }),
  ),
  config: v.unknown(),
});
export type TrainingState = Omit<v.InferOutput<typeof StateSchema>, 'config'> & {
  config: RunConfig;
};

export const writeTrainingState = (state: TrainingState): Uint8Array => encodeJson(state);

/** Throws `unknown_version`, `bad_state`, `bad_json`, `duplicate_name` or `forbidden_name`. */
export function readTrainingState(bytes: Uint8Array): TrainingState {
  const json = parseRecord(bytes, FILES.state);
  if (json.version !== STATE_VERSION) {
    const what =
      typeof json.version === 'number' ? `version ${json.version}` : 'no version that is known';
    throw new CheckpointError(
      'unknown_version',
      `${FILES.state} has ${what}, and this Terrarium reads version ${STATE_VERSION}.`,
      WITHOUT,
    );
  }
  const result = v.safeParse(StateSchema, json);
  if (result.success) return { ...result.output, config: readConfig(result.output.config) };
  const issue = result.issues[0];
  throw damaged(
    'bad_state',
    FILES.state,
    `${shorten(v.getDotPath(issue) ?? 'a field')} is ${shorten(issue.received, 40)} where ${shorten(issue.expected ?? 'another value', 40)} should be`,
  );
}

const WITHOUT =
  'Open it with the Terrarium that wrote it, or leave training_state.json out to keep only the weights.';

function readConfig(json: unknown): RunConfig {
  try {
    return parseConfig(json);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new CheckpointError(
      cause.code === 'unknown_version' ? 'unknown_version' : 'bad_state',
      `${FILES.state} cannot be read. ${cause.message}`,
      WITHOUT,
      { cause },
    );
  }
}
