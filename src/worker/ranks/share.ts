/** What rank 0 prepares for all ranks: the tokens of the text, and the state of a saved run. */
import type { TokenSplit } from '../../data/index.ts';
import type { Group, Payload } from '../../parallel/index.ts';
import type { TrainerState } from '../../train/index.ts';

/** Tokens and the size of the vocabulary. */
export interface SharedText {
  split: TokenSplit;
  vocab_size: number;
}

/** Rank 0 gives the text, the others pass null and get the same. */
export async function shareText(world: Group, text: SharedText | null): Promise<SharedText> {
  const numbers = async (values: ArrayLike<number> | undefined, tag: string) => {
    const given = values ? Int32Array.from(values) : null;
    return Int32Array.from(await world.broadcast(given, 0, tag));
  };
  const train = await numbers(text?.split.train, 'text train');
  const val = await numbers(text?.split.val, 'text val');
  const bytes = await numbers(text?.split.bytes_per_token, 'text bytes');
  const size = await numbers(text ? [text.vocab_size] : undefined, 'text vocab_size');
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
  optimizer: string[];
}

/** Rank 0 gives the state or null for new weights; the others pass undefined and get the same. */
export async function shareState(
  world: Group,
  state: TrainerState | null | undefined,
): Promise<TrainerState | null> {
  const header = await shareHeader(world, state);
  if (!header) return null;
  const tensors = async (
    names: readonly string[],
    from: TrainerState['parameters'] | undefined,
  ) => {
    const shared = new Map<string, Float32Array>();
    for (const name of names) {
      const values = from?.get(name);
      const payload: Payload | null = from ? new Float32Array(values ?? []) : null;
      shared.set(name, Float32Array.from(await world.broadcast(payload, 0, `state ${name}`)));
    }
    return shared;
  };
  return {
    parameters: await tensors(header.parameters, state?.parameters),
    optimizer: await tensors(header.optimizer, state?.optimizer),
    step: header.step,
    tokens: header.tokens,
    lr_multiplier: header.lr_multiplier,
  };
}

async function shareHeader(
  world: Group,
  state: TrainerState | null | undefined,
): Promise<StateHeader | null> {
  const header: StateHeader | null = state
    ? {
        step: state.step,
        tokens: state.tokens,
        lr_multiplier: state.lr_multiplier ?? 1,
        parameters: [...state.parameters.keys()],
        optimizer: [...state.optimizer.keys()],
      }
    : null;
  const text = new TextEncoder().encode(JSON.stringify(header));
  const mine = state === undefined ? null : Int32Array.from(text);
  const shared = Uint8Array.from(await world.broadcast(mine, 0, 'state header'));
  const parsed: unknown = JSON.parse(new TextDecoder().decode(shared));
  return isHeader(parsed) ? parsed : null;
}

/** Null stands for new weights. */
function isHeader(value: unknown): value is StateHeader {
  return typeof value === 'object' && value !== null && 'parameters' in value && 'step' in value;
}
