/** What rank 0 gives to all ranks: sources of a stage, tokens of a text, and the state to start from. */
import type { OwnText } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import type { TokenSplit } from '../../data/index.ts';
import type { Group, Payload } from '../../parallel/index.ts';
import type { ObjectiveTensor, TrainerState } from '../../train/index.ts';
import type { StageSource } from '../prepared_text.ts';
import type { RankOrigin } from './rank_origin.ts';

/** Of an origin, what the other ranks need to prepare the same examples. */
export interface SharedOrigin {
  config: RunConfig;
  /** Name of the objective. */
  objective: string;
  /** Null for pretraining, whose text rank 0 alone prepares. */
  stage: StageSource | null;
  tokenizer: Uint8Array | null;
  own: OwnText | null;
}

/** Rank 0 gives the origin, the others pass null and get the same. */
export async function shareOrigin(world: Group, origin: RankOrigin | null): Promise<SharedOrigin> {
  const header: OriginHeader | null = origin && {
    config: origin.config,
    objective: origin.objective.name,
    stage: origin.stage,
    own: origin.stage && origin.own ? origin.own.name : null,
  };
  const { config, objective, stage, own } = await shareJson(world, header, isOriginHeader);
  if (!stage) return { config, objective, stage: null, tokenizer: null, own: null };
  const tokenizer = await shareBytes(world, origin?.tokenizer ?? null, 'origin tokenizer');
  if (own === null) return { config, objective, stage, tokenizer, own: null };
  const bytes = await shareBytes(world, origin?.own?.bytes ?? null, 'origin examples');
  return { config, objective, stage, tokenizer, own: { name: own, bytes } };
}

interface OriginHeader extends Pick<SharedOrigin, 'config' | 'objective' | 'stage'> {
  /** File name of the user's own examples. */
  own: string | null;
}

const isOriginHeader = (value: unknown): value is OriginHeader =>
  isObject(value) && 'config' in value && 'objective' in value && 'stage' in value;

/** Tokens and the size of the vocabulary. */
export interface SharedText {
  split: TokenSplit;
  vocab_size: number;
}

/** Rank 0 gives the text, the others pass null and get the same. */
export async function shareText(world: Group, text: SharedText | null): Promise<SharedText> {
  const numbers = (values: ArrayLike<number> | undefined, tag: string) =>
    shareNumbers(world, text && (values ?? []), `text ${tag}`);
  const train = await numbers(text?.split.train, 'train');
  const val = await numbers(text?.split.val, 'val');
  const bytes = await numbers(text?.split.bytes_per_token, 'bytes');
  const size = await numbers(text ? [text.vocab_size] : undefined, 'vocab_size');
  return {
    split: { train, val, bytes_per_token: Uint16Array.from(bytes) },
    vocab_size: size[0] ?? 0,
  };
}

/** Header of a shared state: names and sizes in the order in which the values follow. */
interface StateHeader {
  step: number;
  tokens: number;
  lr_multiplier: number;
  parameters: string[];
  /** With their shapes. */
  objective_tensors: [name: string, shape: readonly number[]][];
  optimizer: string[];
}

/** Rank 0 gives the state or null for new weights; the others pass undefined and get the same. */
export async function shareState(
  world: Group,
  state: TrainerState | null | undefined,
): Promise<TrainerState | null> {
  const mine = state === undefined ? null : { state: state && headerOf(state) };
  const { state: header } = await shareJson(world, mine, isSharedHeader);
  if (!header) return null;
  const shared = async (name: string, values: Float32Array | undefined): Promise<Float32Array> => {
    const payload: Payload | null = state ? new Float32Array(values ?? []) : null;
    return Float32Array.from(await world.broadcast(payload, 0, `state ${name}`));
  };
  const tensors = async (
    names: readonly string[],
    from: TrainerState['parameters'] | undefined,
  ) => {
    const all = new Map<string, Float32Array>();
    for (const name of names) all.set(name, await shared(name, from?.get(name)));
    return all;
  };
  const parameters = await tensors(header.parameters, state?.parameters);
  const optimizer = await tensors(header.optimizer, state?.optimizer);
  const objective_tensors = new Map<string, ObjectiveTensor>();
  for (const [name, shape] of header.objective_tensors) {
    const data = await shared(name, state?.objective_tensors?.get(name)?.data);
    objective_tensors.set(name, { shape, data });
  }
  const { step, tokens, lr_multiplier } = header;
  return { parameters, objective_tensors, optimizer, step, tokens, lr_multiplier };
}

const headerOf = (state: TrainerState): StateHeader => ({
  step: state.step,
  tokens: state.tokens,
  lr_multiplier: state.lr_multiplier ?? 1,
  parameters: [...state.parameters.keys()],
  objective_tensors: [...(state.objective_tensors ?? [])].map(([name, { shape }]) => [name, shape]),
  optimizer: [...state.optimizer.keys()],
});

/** Null stands for new weights. */
const isSharedHeader = (value: unknown): value is { state: StateHeader | null } =>
  isObject(value) && 'state' in value;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Rank 0 gives a value that JSON can write, the others pass null and get the same. */
async function shareJson<T>(
  world: Group,
  value: T | null,
  is: (value: unknown) => value is T,
): Promise<T> {
  const text = value && new TextEncoder().encode(JSON.stringify(value));
  const bytes = await shareBytes(world, text, 'header');
  const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!is(parsed)) throw new Error('The ranks are of different versions of this page.');
  return parsed;
}

const shareBytes = async (
  world: Group,
  bytes: Uint8Array | null,
  tag: string,
): Promise<Uint8Array> => Uint8Array.from(await shareNumbers(world, bytes, tag));

async function shareNumbers(
  world: Group,
  numbers: ArrayLike<number> | null,
  tag: string,
): Promise<Int32Array> {
  const given = numbers && Int32Array.from(numbers);
  return Int32Array.from(await world.broadcast(given, 0, tag));
}
