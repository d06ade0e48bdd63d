/** What a room needs of a connection between two pages, and one inside a page. */

export interface PoolChannel {
  /** Queues a message; what is sent after `close` is dropped. */
  send(bytes: Uint8Array): void;
  /** Bytes that were queued and have not left yet. */
  readonly bufferedAmount: number;
  /** From now on a message of more bytes closes the connection, before it is put together. */
  limit(longest: number): void;
  /** Messages that arrived before there was a listener are passed to it. */
  onMessage(listener: (bytes: Uint8Array) => void): void;
  /** Called once, whoever closed it. */
  onClose(listener: () => void): void;
  /** What was sent before still arrives. */
  close(): void;
}

/** Whether a page's messages pass, for tests: a frozen page receives them later. */
export interface MemoryLink {
  ends: [PoolChannel, PoolChannel];
  /** Holds back what is sent in both directions until `thaw`. */
  freeze(): void;
  thaw(): void;
}

/** Two ends of a channel inside one page. Messages arrive in later tasks and are copies. */
export function memoryLink(): MemoryLink {
  const state = { frozen: false };
  const first = new MemoryEnd(state);
  const second = new MemoryEnd(state);
  first.connect(second);
  second.connect(first);
  return {
    ends: [first, second],
    freeze: () => {
      state.frozen = true;
    },
    thaw: () => {
      state.frozen = false;
      first.deliver();
      second.deliver();
    },
  };
}

export const memoryChannels = (): [PoolChannel, PoolChannel] => memoryLink().ends;

class MemoryEnd implements PoolChannel {
  readonly #state: { frozen: boolean };
  #other: MemoryEnd | null = null;
  /** Messages for this end, and at last null if the other end was closed. */
  readonly #waiting: (Uint8Array | null)[] = [];
  #scheduled = false;
  #closed = false;
  #longest = Infinity;
  #hear: ((bytes: Uint8Array) => void) | null = null;
  #tellClosed: (() => void) | null = null;

  constructor(state: { frozen: boolean }) {
    this.#state = state;
  }

  connect(other: MemoryEnd): void {
    this.#other = other;
  }

  get bufferedAmount(): number {
    return this.#other?.waitingBytes ?? 0;
  }

  get waitingBytes(): number {
    return this.#waiting.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  }

  limit(longest: number): void {
    this.#longest = longest;
  }

  send(bytes: Uint8Array): void {
    if (!this.#closed) this.#other?.push(bytes.slice());
  }

  push(message: Uint8Array | null): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.deliver();
  }

  deliver(): void {
    if (this.#scheduled || !this.#hear || this.#state.frozen || this.#waiting.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#state.frozen || this.#closed) return;
      const message = this.#waiting.shift();
      if (message && message.length > this.#longest) this.close();
      else if (message) this.#hear?.(message);
      else if (message === null) this.#end();
      this.deliver();
    });
  }

  onMessage(listener: (bytes: Uint8Array) => void): void {
    this.#hear = listener;
    this.deliver();
  }

  onClose(listener: () => void): void {
    this.#tellClosed = listener;
  }

  close(): void {
    if (this.#closed) return;
    this.#other?.push(null);
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.#tellClosed?.());
  }
}
