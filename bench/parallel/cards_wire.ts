/** The messages of ranks over a PoolChannel: what a MessagePort carries within one page, as bytes. */
import type { PoolChannel } from '../../src/parallel/pool/channel.ts';
import type { RankMessage, RankPort, RankValues } from '../../src/protocol/index.ts';

/**
 * A message is a header of 16 bytes (stream, type of the values, bytes of the tag, time of sending),
 * the tag, padded to 8 bytes so that values are aligned, and the values, little-endian.
 */
const HEADER_BYTES = 16;
const ALIGNMENT = 8;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function typeOf(data: RankValues): number {
  if (data instanceof Float32Array) return 0;
  return data instanceof Float64Array ? 1 : 2;
}

function valuesOf(type: number, buffer: ArrayBuffer, start: number): RankValues {
  if (type === 0) return new Float32Array(buffer, start);
  if (type === 1) return new Float64Array(buffer, start);
  if (type === 2) return new Int32Array(buffer, start);
  throw new Error(`A message of a rank has values of an unknown type (${type}).`);
}

export function toBytes(stream: number, { tag, data, sent }: RankMessage): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(tag);
  const start = HEADER_BYTES + aligned(name.length);
  const bytes = new Uint8Array(start + data.byteLength);
  const header = new DataView(bytes.buffer);
  header.setUint8(0, stream);
  header.setUint8(1, typeOf(data));
  header.setUint16(2, name.length, true);
  header.setFloat64(8, sent, true);
  bytes.set(name, HEADER_BYTES);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return bytes;
}

/** The values are a view of `bytes`, whose buffer they may take with them. */
export function fromBytes(bytes: Uint8Array): { stream: number; message: RankMessage } {
  // A channel puts every message together in a buffer of its own.
  if (!(bytes.buffer instanceof ArrayBuffer) || bytes.byteOffset > 0)
    throw new Error('A message of a rank has to have a buffer of its own.');
  const header = new DataView(bytes.buffer);
  const nameBytes = header.getUint16(2, true);
  const start = HEADER_BYTES + aligned(nameBytes);
  const tag = new TextDecoder().decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + nameBytes));
  const data = valuesOf(header.getUint8(1), bytes.buffer, start);
  return {
    stream: header.getUint8(0),
    message: { tag, data, sent: header.getFloat64(8, true) },
  };
}

/**
 * Several ports to the other page, each a stream. With more than one channel, the tag of a message
 * decides which it takes, so that messages of one tag stay in order.
 */
export class Bridge {
  readonly #channels: readonly PoolChannel[];
  readonly #listeners = new Map<number, (message: RankMessage) => void>();
  /** Messages of streams that nobody listens to yet: one rank opens before the other. */
  readonly #early = new Map<number, RankMessage[]>();

  constructor(channels: readonly PoolChannel[]) {
    this.#channels = channels;
    for (const channel of channels) channel.onMessage((bytes) => this.#take(bytes));
  }

  send(stream: number, message: RankMessage): void {
    const index = sumOf(message.tag) % this.#channels.length;
    this.#channels[index]?.send(toBytes(stream, message));
  }

  onMessage(stream: number, listener: (message: RankMessage) => void): void {
    this.#listeners.set(stream, listener);
    for (const message of this.#early.get(stream) ?? []) listener(message);
    this.#early.delete(stream);
  }

  /** Passes on what arrives at the port, and what the other page sends. */
  join(stream: number, port: RankPort): void {
    port.onMessage((message) => this.send(stream, message));
    this.onMessage(stream, (message) => port.send(message));
    for (const channel of this.#channels) channel.onClose(() => port.close());
  }

  #take(bytes: Uint8Array): void {
    const { stream, message } = fromBytes(bytes);
    const listener = this.#listeners.get(stream);
    if (listener) listener(message);
    else this.#early.set(stream, [...(this.#early.get(stream) ?? []), message]);
  }
}

const sumOf = (tag: string): number =>
  Array.from(tag).reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
