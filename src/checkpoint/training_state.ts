/**
 * training_state.json: what a run needs besides weights and moments to resume at the same loss.
 * Randomness is a function of (seed, step, ...), so seeds and step replace generator states.
 *
 * Pages of earlier versions refuse unknown keys in this file, and two versions may share one
 * storage. New information therefore goes into `schedule`, which takes any numbers, or into other
 * files.
 */
import * as v from 'valibot';
import { ConfigError, parseConfig, savedConfig, type RunConfig } from '../config/index.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { encodeJson, parseRecord } from './json.ts';

export const STATE_VERSION = 1;

const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const finite = v.pipe(v.number(), v.finite());
const numbers = v.pipe(
  v.record(v.pipe(v.string(), v.maxLength(64)), finite),
  v.check((record) => Object.keys(record).length <= 64, 'at most 64 entries'),
);

const LossScaleSchema = v.strictObject({
  scale: v.pipe(
    finite,
    v.minValue(2 ** -126),
    v.maxValue(2 ** 126),
    v.check((scale) => Number.isInteger(Math.log2(scale)), 'a power of two'),
  ),
  clean_steps: whole,
  skipped_updates: whole,
});

const StateSchema = v.strictObject({
  version: v.literal(STATE_VERSION),
  step: whole,
  tokens: whole,
  elapsed_seconds: v.pipe(finite, v.minValue(0)),
  best_val_loss: v.nullable(finite),
  /**
   * `lr_multiplier`, unless it is 1, and `stale_evaluations`, unless it is 0. Earlier versions wrote
   * nothing here.
   */
  schedule: numbers,
  seeds: numbers,
  /**
   * Reserved for a loader whose position does not follow from seed and step. Nothing is written
   * here yet.
   */
  data_position: numbers,
  /** Mixed precision only. */
  loss_scale: v.optional(LossScaleSchema),
  config: v.unknown(),
});

export type TrainingState = Omit<v.InferOutput<typeof StateSchema>, 'config'> & {
  config: RunConfig;
};

/** Encodes training_state.json. Throws `bad_state` for an invalid `lr_multiplier`. */
export function writeTrainingState(state: TrainingState): Uint8Array {
  checkMultiplier(state.schedule);
  return encodeJson({ ...state, config: savedConfig(state.config) });
}

/** Throws `unknown_version`, `bad_state`, `bad_json`, `duplicate_name` or `forbidden_name`. */
export function readTrainingState(bytes: Uint8Array): TrainingState {
  const json = parseRecord(bytes, FILES.state);
  if (json.version !== STATE_VERSION) throw unknownVersion(json.version);
  const result = v.safeParse(StateSchema, json);
  if (!result.success) {
    const issue = result.issues[0];
    const field = shorten(v.getDotPath(issue) ?? 'a field');
    const expected = shorten(issue.expected ?? 'another value', 40);
    const what = `${field} is ${shorten(issue.received, 40)}, but ${expected} was expected`;
    throw damaged('bad_state', FILES.state, what);
  }
  checkMultiplier(result.output.schedule);
  return { ...result.output, config: readConfig(result.output.config) };
}

const WITHOUT =
  'Open it with the Terrarium that wrote it, or remove training_state.json to keep only the weights.';

function unknownVersion(version: unknown): CheckpointError {
  const what = typeof version === 'number' ? `version ${version}` : 'no known version';
  return new CheckpointError(
    'unknown_version',
    `${FILES.state} has ${what}, and this Terrarium reads version ${STATE_VERSION}.`,
    WITHOUT,
  );
}

function checkMultiplier({ lr_multiplier = 1 }: Readonly<Record<string, number>>): void {
  if (Number.isFinite(lr_multiplier) && lr_multiplier > 0) return;
  throw new CheckpointError(
    'bad_state',
    `${FILES.state} multiplies the learning rate by ${lr_multiplier}; the multiplier must be greater than 0.`,
    WITHOUT,
  );
}

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
