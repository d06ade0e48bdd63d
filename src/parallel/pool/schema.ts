/**
 * What messages of a room say. Everything that comes from a peer is read by these schemas: unknown
 * keys, other types and numbers out of range are refused.
 */
import * as v from 'valibot';
import { TABLE_FORMATS } from '../../common/index.ts';
import { LARGEST_EXPONENT, LEAST_EXPONENT } from './float16.ts';

const integer = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const finite = (min: number, max: number) =>
  v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max));
const text = (longest: number) => v.pipe(v.string(), v.maxLength(longest));

const MOST = 2 ** 40;
export const MOST_MEMBERS = 64;
export const LONGEST_NAME = 40;

const round = integer(0, 1e9);
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/u));
const exponent = integer(LEAST_EXPONENT, LARGEST_EXPONENT);
const loss = finite(-1e6, 1e6);
const member = integer(1, 1e6);

/** Six letters; I and O are left out, which look like digits. */
export const ROOM_LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
export const isRoomCode = (code: string): boolean => /^[A-HJ-NP-Z]{6}$/u.test(code);

const PlanSchema = v.strictObject({
  /** The configuration of the run; `parseConfig` reads it. */
  config: v.record(text(60), v.unknown()),
  /** Name of the run. */
  name: text(200),
  /** Values of the parameters that train. */
  n_params: integer(1, 2 ** 31),
  local_steps: integer(1, 100_000),
  outer_learning_rate: finite(0, 10),
  outer_momentum: finite(0, 1),
  /** Steps of the whole training; the last round may be shorter than `local_steps`. */
  steps: integer(1, MOST),
});

/** How the text of the message is read; its bytes are the payload. */
const TextSchema = v.strictObject({
  name: text(300),
  files: v.optional(v.array(v.strictObject({ name: text(300), bytes: integer(0, MOST) }))),
  column: v.optional(text(300)),
  format: v.optional(v.picklist(TABLE_FORMATS)),
  keep_repeats: v.optional(v.boolean()),
  replaced: v.optional(integer(0, MOST)),
});

const MEMBER_PHASES = [
  'joining',
  'ready',
  'training',
  'delivered',
  'silent',
  'away',
  'removed',
] as const;
export type MemberPhase = (typeof MEMBER_PHASES)[number];

/** One member, as everybody in the room sees it. */
const MemberSchema = v.strictObject({
  member,
  name: text(LONGEST_NAME),
  phase: v.picklist(MEMBER_PHASES),
  /** Its part of the training text, counted from 0. */
  shard: v.nullable(v.strictObject({ index: integer(0, 1e6), count: integer(1, 1e6) })),
  /** Local steps that it takes in a round. */
  steps: integer(0, 1e6),
  /** Local steps of the current round that it has taken. */
  done: integer(0, 1e6),
  /** Steps a second in its latest round. */
  rate: finite(0, 1e9),
  /** Rounds whose mean it was part of, and rounds that it was too late for. */
  contributed: integer(0, 1e9),
  late: integer(0, 1e9),
  /** Refused contributions, those since the latest that counted, and why the latest was refused. */
  refused: integer(0, 1e9),
  refused_in_a_row: integer(0, 1e9),
  refused_why: text(300),
  /** Seconds since it was last heard. */
  silent_seconds: finite(0, 1e9),
});

const RecordSchema = v.strictObject({
  /** Rounds that were applied before this one. */
  round,
  step: integer(0, MOST),
  /** Mean of the members' training losses in the round. */
  train_loss: loss,
  contributors: integer(1, 1e6),
  seconds: finite(0, 1e9),
  /** Bytes of parameter differences that the host received and sent. */
  bytes: finite(0, 1e15),
});

/** Validation loss of the global parameters after `round` rounds. */
const EvaluationSchema = v.strictObject({ round, step: integer(0, MOST), val_loss: loss });

const SCHEMAS = {
  /** A member asks to join, or comes back with the token that it had. */
  hello: v.strictObject({
    type: v.literal('hello'),
    room: v.pipe(v.string(), v.regex(/^[A-HJ-NP-Z]{6}$/u)),
    token: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/u)),
    name: v.pipe(v.string(), v.minLength(1), v.maxLength(LONGEST_NAME)),
    build: text(100),
    /** What the member already has; null for nothing. */
    round: v.nullable(round),
    hash: v.nullable(hash),
  }),
  /** Payload: the bytes of the text, if the room has one of its own. */
  welcome: v.strictObject({
    type: v.literal('welcome'),
    member,
    plan: PlanSchema,
    text: v.nullable(TextSchema),
  }),
  refuse: v.strictObject({
    type: v.literal('refuse'),
    code: v.picklist(['version', 'full', 'removed', 'no_room', 'damaged']),
    message: text(300),
    hint: text(300),
  }),
  /** Payload: parameters, then momentum, as float32. */
  state: v.strictObject({ type: v.literal('state'), round, hash }),
  /** The member's model is compiled. */
  ready: v.strictObject({ type: v.literal('ready'), n_params: integer(1, 2 ** 31) }),
  need_state: v.strictObject({ type: v.literal('need_state') }),
  /** Begins a round of local steps. */
  round: v.strictObject({
    type: v.literal('round'),
    round,
    step: integer(0, MOST),
    steps: integer(1, 1e6),
    shard: v.strictObject({ index: integer(0, 1e6), count: integer(1, 1e6) }),
  }),
  progress: v.strictObject({ type: v.literal('progress'), round, done: integer(0, 1e6) }),
  /** Payload: parameters before minus parameters after, as float16. */
  contribution: v.strictObject({
    type: v.literal('contribution'),
    round,
    /** 0 if the member's run has no steps left, as after the host went back to an earlier round. */
    steps: integer(0, 1e6),
    tokens: integer(0, MOST),
    seconds: finite(0, 1e9),
    loss,
    exponent,
  }),
  /** Payload: the mean of the contributions, as float16. `hash` is of the parameters after it. */
  update: v.strictObject({ type: v.literal('update'), round, exponent, hash }),
  /** Validation loss of the global parameters after `round` rounds. */
  evaluation: v.strictObject({ type: v.literal('evaluation'), round, val_loss: loss }),
  /** What everybody sees. `records` and `evaluations` are those since the last such message. */
  roster: v.strictObject({
    type: v.literal('roster'),
    members: v.pipe(v.array(MemberSchema), v.maxLength(10 * MOST_MEMBERS)),
    records: v.pipe(v.array(RecordSchema), v.maxLength(100_000)),
    evaluations: v.pipe(v.array(EvaluationSchema), v.maxLength(100_000)),
    phase: v.picklist(['open', 'training', 'paused', 'ended']),
  }),
  pause: v.strictObject({ type: v.literal('pause'), paused: v.boolean() }),
  /** Training is over, and everybody keeps the model of this round. */
  end: v.strictObject({ type: v.literal('end'), round }),
  leave: v.strictObject({ type: v.literal('leave') }),
  alive: v.strictObject({ type: v.literal('alive') }),
} as const;

export const MessageSchema = v.variant('type', [
  SCHEMAS.hello,
  SCHEMAS.welcome,
  SCHEMAS.refuse,
  SCHEMAS.state,
  SCHEMAS.ready,
  SCHEMAS.need_state,
  SCHEMAS.round,
  SCHEMAS.progress,
  SCHEMAS.contribution,
  SCHEMAS.update,
  SCHEMAS.evaluation,
  SCHEMAS.roster,
  SCHEMAS.pause,
  SCHEMAS.end,
  SCHEMAS.leave,
  SCHEMAS.alive,
]);

export type Message = v.InferOutput<typeof MessageSchema>;
export type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>;
export type Plan = v.InferOutput<typeof PlanSchema>;
export type SentText = v.InferOutput<typeof TextSchema>;
export type MemberRow = v.InferOutput<typeof MemberSchema>;
export type RoundRecord = v.InferOutput<typeof RecordSchema>;
export type EvaluationRow = v.InferOutput<typeof EvaluationSchema>;

/** What a host's run keeps of its room, besides weights. */
export const SavedRoomSchema = v.strictObject({
  code: v.pipe(v.string(), v.regex(/^[A-HJ-NP-Z]{6}$/u)),
  token: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/u)),
  plan: PlanSchema,
  round,
  memory: v.strictObject({
    records: v.array(RecordSchema),
    evaluations: v.array(EvaluationSchema),
  }),
});

/** What a host needs, besides weights, to go on after its page was closed. */
export interface HostMemory {
  records: RoundRecord[];
  evaluations: EvaluationRow[];
}
