/** Ranks in workers, joined by message ports. */
import { type Link, now, type Payload, RankLost } from './link.ts';
import { Mailbox } from './mailbox.ts';

/** One end of a channel to another rank, as `protocol/rank_port.ts` makes it. */
export interface PortLike {
  send(message: { tag: string; data: Payload; sent: number }): void;
  onMessage(listener: (message: { tag: string; data: Payload; sent: number }) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

export interface PortLinkOptions {
  rank: number;
  ports: ReadonlyMap<number, PortLike>;
  /** How long a rank may be waited for, in milliseconds. Called at each check. */
  patience(): number;
}

/** Milliseconds between two checks of the receivers that wait. */
const CHECK_MS = 100;

/** A Link over message ports, which notices ranks that are gone or no longer answer. */
export class PortLink implements Link {
  readonly rank: number;
  readonly size: number;
  readonly #ports: ReadonlyMap<number, PortLike>;
  readonly #mailbox = new Mailbox();
  readonly #timer: ReturnType<typeof setInterval>;
  /** When `#check` last ran, in milliseconds of `now()`. */
  #checked = now();

  constructor(options: PortLinkOptions) {
    const { rank, ports } = options;
    this.rank = rank;
    this.size = ports.size + 1;
    this.#ports = ports;
    for (const [from, port] of ports) {
      port.onMessage(({ tag, data, sent }) => this.#mailbox.deliver(from, tag, { data, sent }));
      port.onClose(() => this.lose(from, 'is gone'));
    }
    this.#timer = setInterval(() => this.#check(options.patience()), CHECK_MS);
  }

  send(to: number, tag: string, data: Payload): void {
    this.#ports.get(to)?.send({ tag, data, sent: now() });
  }

  receive(from: number, tag: string): ReturnType<Link['receive']> {
    return this.#mailbox.receive(from, tag);
  }

  /** Rejects what waits for a rank that sends nothing more. `why`: see RankLost. */
  lose(rank: number, why: string): void {
    this.#mailbox.lose(new RankLost(rank, why));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const port of this.#ports.values()) port.close();
  }

  /**
   * Loses the ranks that have been waited for too long. A check that runs late means that this thread
   * was busy or the computer asleep, and that messages may wait in its queue, so the delay is not
   * counted against the other ranks.
   */
  #check(patience: number): void {
    const delay = now() - this.#checked - CHECK_MS;
    this.#checked = now();
    if (delay > CHECK_MS) {
      this.#mailbox.excuse(delay);
      return;
    }
    for (const { from, since } of this.#mailbox.waits()) {
      if (now() - since < patience) continue;
      this.lose(from, `has not answered for ${(patience / 1000).toFixed(1)} seconds`);
    }
  }
}
