/** Messages that have arrived and receivers that wait, by sender and tag. */
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

  /** Who is waited for, and since when. */
  waits(): Pick<Waiting, 'from' | 'since'>[] {
    return [...this.#waiting.values()].flat();
  }

  /** So many milliseconds, until now, do not count as waiting. */
  excuse(ms: number): void {
    for (const wait of this.waits()) wait.since = Math.min(wait.since + ms, now());
  }

  /** No more messages come from this rank: those that wait for it, now or later, are rejected. */
  lose(lost: RankLost): void {
    if (this.#lost.has(lost.lost)) return;
    this.#lost.set(lost.lost, lost);
    for (const [key, queue] of this.#waiting) {
      if (!key.startsWith(`${lost.lost}:`)) continue;
      this.#waiting.delete(key);
      for (const { reject } of queue) reject(lost);
    }
  }
}

const keyOf = (from: number, tag: string): string => `${from}:${tag}`;
