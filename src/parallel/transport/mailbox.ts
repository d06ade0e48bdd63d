/** Matches messages that have arrived with receivers that wait, by sender and tag. */
import { type Message, now, type RankLost } from './link.ts';

interface Waiting {
  from: number;
  /** Milliseconds of `now()`. */
  since: number;
  resolve: (message: Message) => void;
  reject: (error: Error) => void;
}

export class Mailbox {
  readonly #arrived = new Map<string, Message[]>();
  readonly #waiting = new Map<string, Waiting[]>();
  /** Why a rank sends nothing more, by rank. */
  readonly #lost = new Map<number, RankLost>();

  /** Called by a transport for each message, in the order of arrival. */
  deliver(from: number, tag: string, message: Message): void {
    const key = keyOf(from, tag);
    const waiting = this.#waiting.get(key)?.shift();
    if (waiting) {
      waiting.resolve(message);
      return;
    }
    const queue = this.#arrived.get(key);
    if (queue) queue.push(message);
    else this.#arrived.set(key, [message]);
  }

  /** @throws RankLost see `Link.receive` */
  receive(from: number, tag: string): Promise<Message> {
    const key = keyOf(from, tag);
    const arrived = this.#arrived.get(key);
    const message = arrived?.shift();
    if (arrived?.length === 0) this.#arrived.delete(key);
    if (message) return Promise.resolve(message);
    const lost = this.#lost.get(from);
    if (lost) return Promise.reject(lost);
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(key) ?? [];
      queue.push({ from, since: now(), resolve, reject });
      this.#waiting.set(key, queue);
    });
  }

  /** Which ranks are waited for, and since when. */
  waits(): Pick<Waiting, 'from' | 'since'>[] {
    return [...this.#waiting.values()].flat();
  }

  /** Does not count the last `ms` milliseconds as time that other ranks have been waited for. */
  excuse(ms: number): void {
    for (const wait of this.waits()) wait.since = Math.min(wait.since + ms, now());
  }

  /** Rejects the receivers that wait for the rank of this error, now or later. */
  lose(error: RankLost): void {
    if (this.#lost.has(error.rank)) return;
    this.#lost.set(error.rank, error);
    for (const [key, queue] of this.#waiting) {
      if (!key.startsWith(`${error.rank}:`)) continue;
      this.#waiting.delete(key);
      for (const { reject } of queue) reject(error);
    }
  }
}

const keyOf = (from: number, tag: string): string => `${from}:${tag}`;
