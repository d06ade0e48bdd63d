/**
 * Cuts messages into frames for data channels, whose messages may not be large, and puts them
 * together again. The channel is ordered and reliable, so a message is its length (uint32,
 * little-endian) and its bytes, cut anywhere.
 */
import { PoolError } from './error.ts';

/** Every pair of browsers can exchange messages of this size. */
export const FRAME_BYTES = 65_536;
export const LENGTH_BYTES = 4;
/** The longest message that is put together: the state of 100 million parameters. */
export const LONGEST_MESSAGE = 800_000_000 + 2 ** 24;

/** The frames of a message, in order. */
export function* framesOf(message: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  const first = new Uint8Array(Math.min(FRAME_BYTES, LENGTH_BYTES + message.length));
  new DataView(first.buffer).setUint32(0, message.length, true);
  first.set(message.subarray(0, first.length - LENGTH_BYTES), LENGTH_BYTES);
  yield first;
  for (let at = first.length - LENGTH_BYTES; at < message.length; at += FRAME_BYTES) {
    yield message.slice(at, at + FRAME_BYTES);
  }
}

export class FrameReader {
  #message: Uint8Array | null = null;
  #filled = 0;
  /** Bytes of the longest message that the peer may send. */
  longest = LONGEST_MESSAGE;

  /** Takes a frame; returns the message that it completes, if any. Throws PoolError. */
  take(frame: Uint8Array): Uint8Array | null {
    const bytes = this.#message ? frame : this.#begin(frame);
    const message = this.#message;
    if (!message) return null;
    if (this.#filled + bytes.length > message.length) throw malformed();
    message.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#filled < message.length) return null;
    this.#message = null;
    return message;
  }

  #begin(frame: Uint8Array): Uint8Array {
    if (frame.length < LENGTH_BYTES) throw malformed();
    const length = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
    if (length > this.longest) throw malformed();
    this.#message = new Uint8Array(length);
    this.#filled = 0;
    return frame.subarray(LENGTH_BYTES);
  }
}

const malformed = (): PoolError =>
  new PoolError(
    'damaged',
    'The connection carries something else than messages of a room.',
    'Join the room again.',
  );
