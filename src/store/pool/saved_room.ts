/**
 * The state of a room as bytes, kept with the host's run so that the room survives the host's page:
 * the length of the JSON (uint32), the JSON, then parameters and momentum as float32.
 */
import * as v from 'valibot';
import type { OuterState } from '../../parallel/pool/diloco.ts';
import { bytesOf, floatsOf } from '../../parallel/pool/messages.ts';
import { SavedRoomSchema, type HostMemory, type Plan } from '../../parallel/pool/schema.ts';

export interface SavedRoom {
  code: string;
  plan: Plan;
  memory: HostMemory;
  /** Token of the host's own page as a member. */
  token: string;
  state: OuterState;
}

export function writeRoom({ code, plan, memory, token, state }: SavedRoom): Uint8Array {
  const { round, parameters, momentum } = state;
  const json = new TextEncoder().encode(JSON.stringify({ code, plan, memory, token, round }));
  const bytes = new Uint8Array(4 + json.length + 8 * parameters.length);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 4);
  bytes.set(bytesOf(parameters), 4 + json.length);
  bytes.set(bytesOf(momentum), 4 + json.length + 4 * parameters.length);
  return bytes;
}

/** Null if the bytes are no room of this version. */
export function readRoom(bytes: Uint8Array): SavedRoom | null {
  if (bytes.length < 4) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  } catch {
    return null;
  }
  const parsed = v.safeParse(SavedRoomSchema, value);
  if (!parsed.success) return null;
  const { round, ...room } = parsed.output;
  const values = floatsOf(bytes.subarray(4 + length), 2 * room.plan.n_params);
  if (!values) return null;
  const parameters = values.slice(0, room.plan.n_params);
  const momentum = values.slice(room.plan.n_params);
  return { ...room, state: { round, parameters, momentum } };
}
