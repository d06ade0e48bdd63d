/**
 * Messages of a room as bytes:
 *
 *     0   'T' 'P'              mark
 *     2   version              of this format; peers of another version refuse each other
 *     3   0
 *     4   length of the JSON   uint32, a multiple of four (padded with spaces)
 *     8   checksum             64 bits, of everything that follows
 *     16  JSON                 what `schema.ts` describes
 *     ... payload              weights or text
 *
 * Numbers are little-endian, as on every machine that runs a browser. The transport has checksums of
 * its own; this one makes sure that a faulty peer cannot change weights by accident.
 */
import * as v from 'valibot';
import { damaged, otherVersion } from './error.ts';
import { MessageSchema, type Message } from './schema.ts';

/** Raised whenever the meaning of a message changes. */
export const POOL_VERSION = 2;

/** Bytes before the JSON. */
export const HEADER_BYTES = 16;
/** The longest JSON that is read. */
const LONGEST_JSON = 16 * 2 ** 20;

/** More than any message of a member has besides a difference. */
const MEMBER_BYTES = 2 ** 14;

/** The longest message that a member may send to its host, bytes: a difference as float16. */
export const longestOfMember = (n_params: number): number => 2 * n_params + MEMBER_BYTES;

const MARK = [0x54, 0x50] as const;
const EMPTY = new Uint8Array(0);

export interface Envelope {
  message: Message;
  payload: Uint8Array;
}

export function encodeMessage(message: Message, payload: Uint8Array = EMPTY): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(message));
  const length = 4 * Math.ceil(json.length / 4);
  const bytes = new Uint8Array(HEADER_BYTES + length + payload.length);
  bytes.set(MARK);
  bytes[2] = POOL_VERSION;
  bytes.fill(0x20, HEADER_BYTES + json.length, HEADER_BYTES + length);
  bytes.set(json, HEADER_BYTES);
  bytes.set(payload, HEADER_BYTES + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, length, true);
  checksum(bytes.subarray(HEADER_BYTES)).forEach((word, i) =>
    view.setUint32(8 + 4 * i, word, true),
  );
  return bytes;
}

/** Reads a message of a peer. Throws PoolError, and nothing else, if it is not one. */
export function decodeMessage(bytes: Uint8Array): Envelope {
  if (bytes.length < HEADER_BYTES) throw damaged('it is too short');
  if (bytes[0] !== MARK[0] || bytes[1] !== MARK[1]) throw damaged('it has no mark');
  if (bytes[2] !== POOL_VERSION) throw otherVersion();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(4, true);
  const body = bytes.subarray(HEADER_BYTES);
  if (bytes[3] !== 0 || length % 4 !== 0) throw damaged('its header is not valid');
  if (length > body.length || length > LONGEST_JSON) throw damaged('its length is not valid');
  const expected = checksum(body);
  if (expected.some((word, i) => word !== view.getUint32(8 + 4 * i, true))) {
    throw damaged('its checksum differs');
  }
  const message = parseMessage(body.subarray(0, length));
  return { message, payload: body.subarray(length) };
}

function parseMessage(bytes: Uint8Array): Message {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw damaged('its text is not JSON');
  }
  const parsed = v.safeParse(MessageSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw damaged(`${v.getDotPath(issue) ?? 'its type'} is not valid`);
}

/** Two 32-bit sums over the bytes, four at a time. */
function checksum(bytes: Uint8Array): [number, number] {
  const whole = Math.floor(bytes.length / 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let a = 0x811c9dc5;
  let b = bytes.length;
  for (let i = 0; i < whole; i++) {
    const word = view.getUint32(4 * i, true);
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul((b ^ word) + (b >>> 15), 0x85ebca6b);
  }
  for (let i = 4 * whole; i < bytes.length; i++) {
    a = Math.imul(a ^ (bytes[i] ?? 0), 0x01000193);
    b = Math.imul((b ^ (bytes[i] ?? 0)) + (b >>> 15), 0x85ebca6b);
  }
  return [a >>> 0, b >>> 0];
}

/** The values of a payload of float32; null unless there are `count`. */
export function floatsOf(payload: Uint8Array, count: number): Float32Array | null {
  if (payload.length !== 4 * count) return null;
  return new Float32Array(payload.slice().buffer);
}

/** The values of a payload of float16; null unless there are `count`. */
export function halvesOf(payload: Uint8Array, count: number): Uint16Array | null {
  if (payload.length !== 2 * count) return null;
  return new Uint16Array(payload.slice().buffer);
}

/** The bytes of an array, without a copy. */
export const bytesOf = (values: Float32Array | Uint16Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
