/** The connections that a member makes by codes of the host, one by each code. */
import type { PoolChannel } from '../../parallel/pool/channel.ts';
import { PoolError } from '../../parallel/pool/error.ts';
import type { Answered } from '../../parallel/pool/transport/codes.ts';

type Coded = Pick<Answered, 'channel' | 'close'>;

export class CodeConnection {
  readonly #opened: () => void;
  /** The host has yet to take the answer to this code. */
  #pending: Coded | null = null;
  /** Open, and not used yet. */
  #channel: PoolChannel | null = null;
  #deliver: ((channel: PoolChannel) => void) | null = null;
  #needsCode = false;

  /** `opened`: a connection was made, so the answer to its code is not needed any more. */
  constructor(opened: () => void) {
    this.#opened = opened;
  }

  /** The connection was lost, and each code is good for one. */
  get needsCode(): boolean {
    return this.#needsCode;
  }

  /** Uses a code of the host, instead of one whose answer it has not taken. */
  use(coded: Coded): void {
    this.close();
    this.#pending = coded;
    this.#needsCode = false;
    void coded.channel.then((channel) => {
      if (this.#pending !== coded) return channel.close();
      this.#pending = null;
      this.#channel = channel;
      this.#opened();
      this.#serve();
    });
  }

  /** Resolves when the host has taken the answer. Rejects with a PoolError if there is no code. */
  connect(): Promise<PoolChannel> {
    if (!this.#pending && !this.#channel) {
      this.#needsCode = true;
      return Promise.reject(lostByCode());
    }
    return new Promise((resolve) => {
      this.#deliver = resolve;
      this.#serve();
    });
  }

  /** Gives up the code whose answer the host has not taken. */
  close(): void {
    this.#pending?.close();
    this.#pending = null;
  }

  #serve(): void {
    const channel = this.#channel;
    const deliver = this.#deliver;
    if (!channel || !deliver) return;
    this.#channel = null;
    this.#deliver = null;
    deliver(channel);
  }
}

const lostByCode = (): PoolError =>
  new PoolError(
    'offline',
    'The connection to the host was lost.',
    'Ask the host for a new code: a code is good for one connection.',
  );
