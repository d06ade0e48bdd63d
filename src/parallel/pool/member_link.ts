/**
 * A member's connection to the host: made again when it is lost, with longer waits between the
 * attempts. It has no timers: `tick` is to be called about once a second.
 */
import type { PoolChannel } from './channel.ts';
import { PoolError } from './error.ts';
import { decodeMessage, encodeMessage, type Envelope } from './messages.ts';
import type { Message } from './schema.ts';

/** The usual `silent_ms`. */
export const HOST_SILENT_MS = 20_000;
/** A member is heard at least this often. */
const ALIVE_MS = 2000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export interface MemberLinkOptions {
  /** Opens a connection. Rejects with a PoolError. */
  connect: () => Promise<PoolChannel>;
  now: () => number;
  /** Nothing was heard of the host for this long: the connection is taken for lost. Milliseconds. */
  silent_ms: number;
  opened: () => void;
  heard: (envelope: Envelope) => void;
  /** A message could not be read. */
  faulty: (error: PoolError) => void;
  /** The connection is lost, or could not be made for this reason; it will be tried again. */
  lost: (problem: PoolError | null) => void;
}

export class MemberLink {
  readonly #options: MemberLinkOptions;
  #channel: PoolChannel | null = null;
  #lastHeard = 0;
  #lastSaid = 0;
  #lastTick = 0;
  #wait = FIRST_WAIT_MS;
  #connectAt = 0;
  #connecting = false;
  #closed = false;

  constructor(options: MemberLinkOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#channel !== null;
  }

  tick(): void {
    if (this.#closed) return;
    const now = this.#options.now();
    // This page has slept, and what the host sent meanwhile has yet to be delivered. A host that is
    // there answers soon, so a member by a code does not wait longer than others for a lost one.
    if (now - this.#lastTick > HOST_SILENT_MS / 2) {
      this.#lastHeard = now - (this.#options.silent_ms - HOST_SILENT_MS);
    }
    this.#lastTick = now;
    if (!this.#channel) {
      if (!this.#connecting && now >= this.#connectAt) void this.#connect();
    } else if (now - this.#lastHeard > this.#options.silent_ms) this.#channel.close();
    else if (now - this.#lastSaid >= ALIVE_MS) this.send({ type: 'alive' });
  }

  send(message: Message, payload?: Uint8Array): void {
    this.#lastSaid = this.#options.now();
    this.#channel?.send(encodeMessage(message, payload));
  }

  /** The connection works: the next one is tried soon if it is lost. */
  works(): void {
    this.#wait = FIRST_WAIT_MS;
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    const channel = this.#channel;
    this.#channel = null;
    channel?.close();
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    try {
      const channel = await this.#options.connect();
      if (this.#closed) channel.close();
      else this.#use(channel);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.#retryLater(error);
    } finally {
      this.#connecting = false;
    }
  }

  #use(channel: PoolChannel): void {
    this.#channel = channel;
    this.#lastHeard = this.#options.now();
    channel.onMessage((bytes) => {
      if (this.#channel === channel) this.#hear(bytes);
    });
    channel.onClose(() => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.#retryLater(null);
    });
    this.#options.opened();
  }

  #hear(bytes: Uint8Array): void {
    this.#lastHeard = this.#options.now();
    try {
      this.#options.heard(decodeMessage(bytes));
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.#options.faulty(error);
    }
  }

  #retryLater(problem: PoolError | null): void {
    if (this.#closed) return;
    this.#connectAt = this.#options.now() + this.#wait;
    this.#wait = Math.min(LONGEST_WAIT_MS, 2 * this.#wait);
    this.#options.lost(problem);
  }
}
