/** A data channel of WebRTC as a PoolChannel: frames, and back-pressure by `bufferedAmount`. */
import type { PoolChannel } from '../channel.ts';
import { FrameReader, framesOf } from '../frames.ts';

/** Frames are handed to the browser while it holds less than this, bytes. */
export const HIGH_WATER = 2 ** 20;
/** The browser asks for more below this, bytes. */
const LOW_WATER = 2 ** 18;
/** How long what was sent may take to leave after `close`, milliseconds. */
const LINGER_MS = 1000;

/**
 * WebRTC without any server: no STUN and no TURN, so that no address outside of the room's network is
 * contacted. Pages find each other by the addresses of their own network only.
 */
export const RTC_CONFIG = { iceServers: [] } satisfies RTCConfiguration;

/** The part of RTCDataChannel that is used; tests pass their own. */
export type DataChannelLike = Pick<
  RTCDataChannel,
  'send' | 'close' | 'bufferedAmount' | 'bufferedAmountLowThreshold' | 'binaryType' | 'readyState'
> & {
  addEventListener(
    type: 'message' | 'close' | 'error' | 'bufferedamountlow',
    listener: (event: Event) => void,
  ): void;
};

/** `dispose` closes what belongs to the channel, after it. The channel is open. */
export function overDataChannel(
  dataChannel: DataChannelLike,
  dispose: () => void = () => undefined,
): PoolChannel {
  return new DataChannel(dataChannel, dispose);
}

class DataChannel implements PoolChannel {
  readonly #channel: DataChannelLike;
  readonly #dispose: () => void;
  readonly #reader = new FrameReader();
  /** Messages that arrived before there was a listener. */
  readonly #early: Uint8Array[] = [];
  #frames: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #hear: ((bytes: Uint8Array) => void) | null = null;
  #tellClosed: (() => void) | null = null;
  #closing = false;
  #closed = false;

  constructor(channel: DataChannelLike, dispose: () => void) {
    this.#channel = channel;
    this.#dispose = dispose;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = LOW_WATER;
    channel.addEventListener('message', (event) => this.#take(event));
    channel.addEventListener('bufferedamountlow', () => this.#pump());
    channel.addEventListener('close', () => this.#end());
    channel.addEventListener('error', () => this.#end());
  }

  get bufferedAmount(): number {
    return this.#waitingBytes + (this.#closed ? 0 : this.#channel.bufferedAmount);
  }

  limit(longest: number): void {
    this.#reader.longest = longest;
  }

  send(bytes: Uint8Array): void {
    if (this.#closing || this.#closed) return;
    for (const frame of framesOf(bytes)) {
      this.#frames.push(frame);
      this.#waitingBytes += frame.length;
    }
    this.#pump();
  }

  onMessage(listener: (bytes: Uint8Array) => void): void {
    this.#hear = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  onClose(listener: () => void): void {
    this.#tellClosed = listener;
    if (this.#closed) listener();
  }

  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    this.#pump();
    setTimeout(() => this.#end(), LINGER_MS);
    queueMicrotask(() => this.#tell());
  }

  #pump(): void {
    while (this.#frames.length > 0 && this.#channel.bufferedAmount < HIGH_WATER) {
      if (this.#closed || this.#channel.readyState !== 'open') return;
      const frame = this.#frames.shift();
      if (!frame) return;
      this.#waitingBytes -= frame.length;
      try {
        this.#channel.send(frame);
      } catch {
        // The channel has just closed.
        this.#end();
      }
    }
  }

  #take(event: Event): void {
    const data: unknown = 'data' in event ? event.data : null;
    if (this.#closing || this.#closed) return;
    try {
      const message = data instanceof ArrayBuffer && this.#reader.take(new Uint8Array(data));
      if (!message) return;
      if (this.#hear) this.#hear(message);
      else this.#early.push(message);
    } catch {
      // The other end does not speak this protocol.
      this.#end();
    }
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames = [];
    this.#waitingBytes = 0;
    this.#channel.close();
    this.#dispose();
    this.#tell();
  }

  #tell(): void {
    this.#tellClosed?.();
    this.#tellClosed = null;
  }
}
