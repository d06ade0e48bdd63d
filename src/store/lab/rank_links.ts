/** The workers of all ranks, and the message ports that join each of them to all others. */
import { type Command, type Event, type PagePort, whenReleased } from '../../protocol/index.ts';
import { RequestError, WorkerLink } from '../worker_link.ts';

export interface RankListener {
  event(rank: number, event: Event): void;
  /** The worker of a rank ended without being asked to; `why` is a clause. */
  died(rank: number, why: string): void;
}

/** A rank refused a request, or ended before it answered. */
export class RankError extends Error {
  constructor(
    readonly rank: number,
    message: string,
    /** Of its `PlainError`; null if the rank ended before it answered. */
    readonly code: string | null = null,
  ) {
    super(message);
  }

  /** Whether it says nothing of the rank, because all ranks end alike. */
  get isOfAllRanks(): boolean {
    return this.code === 'loss_exploded';
  }
}

export type RankPorts = readonly { rank: number; port: MessagePort }[];

export class RankLinks {
  readonly #links: readonly WorkerLink[];
  readonly #listener: RankListener;
  /** By rank, a function that stops watching for the end of its worker. */
  readonly #unwatch = new Map<number, () => void>();
  /** The first rank that was ended alone. */
  #gone: RankError | null = null;
  /** The answers to the last request, by rank. */
  #asked: readonly Promise<unknown>[] = [];

  constructor(size: number, spawn: () => PagePort, listener: RankListener) {
    this.#listener = listener;
    this.#links = Array.from(
      { length: size },
      (_, rank) =>
        new WorkerLink(spawn, {
          event: (event) => this.#hear(rank, event),
          started: () => undefined,
          silent: () => undefined,
          died: (reason) => listener.died(rank, `its worker stopped: ${reason}`),
        }),
    );
  }

  /** Creates a channel for each pair of ranks. Returns the ports of each rank to the others, by rank. */
  static join(size: number): RankPorts[] {
    const ports = Array.from({ length: size }, (): { rank: number; port: MessagePort }[] => []);
    for (let rank = 0; rank < size; rank++) {
      for (let other = rank + 1; other < size; other++) {
        const { port1, port2 } = new MessageChannel();
        ports[rank]?.push({ rank: other, port: port1 });
        ports[other]?.push({ rank, port: port2 });
      }
    }
    return ports;
  }

  get(rank: number): WorkerLink | undefined {
    return this.#links[rank];
  }

  /**
   * Asks every rank, and resolves to the answers by rank once all have answered.
   *
   * @throws RankError of the first rank that fails, also if a rank has ended since it answered:
   * nothing can follow without it
   */
  async all<A>(ask: (link: WorkerLink, rank: number) => Promise<A>): Promise<A[]> {
    // A request would start a new worker.
    this.#checkComplete();
    const asked = this.#links.map(async (link, rank) => {
      try {
        return await ask(link, rank);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new RankError(rank, message, error instanceof RequestError ? error.plain.code : null);
      }
    });
    this.#asked = asked;
    const answers = await Promise.all(asked);
    this.#checkComplete();
    return answers;
  }

  /** Starts every worker with a command. */
  start(command: Command): void {
    for (const link of this.#links) link.send(command);
  }

  /** Sends a command to every rank whose worker is open, except to the rank `except`. */
  send(command: Command, except?: number): void {
    this.#links.forEach((link, rank) => {
      if (rank !== except && link.isOpen) link.send(command);
    });
  }

  /** The errors of the last request, once every rank has answered it or `limit_ms` have passed. */
  async lastWords(limit_ms: number): Promise<RankError[]> {
    const errors: RankError[] = [];
    const settled = this.#asked.map((answer) =>
      answer.catch((error: unknown) => {
        if (error instanceof RankError) errors.push(error);
      }),
    );
    await Promise.race([
      Promise.all(settled),
      new Promise((resolve) => setTimeout(resolve, limit_ms)),
    ]);
    return errors;
  }

  /** Ends the worker of one rank at once. */
  end(rank: number, reason: string): void {
    this.#unwatch.get(rank)?.();
    this.#gone ??= new RankError(rank, reason);
    this.#links[rank]?.close(reason);
  }

  close(): void {
    for (const unwatch of this.#unwatch.values()) unwatch();
    for (const link of this.#links) link.close();
  }

  #checkComplete(): void {
    if (this.#gone) throw this.#gone;
  }

  #hear(rank: number, event: Event): void {
    if (event.type === 'rank_alive') {
      const ended = () => this.#listener.died(rank, 'its worker ended by itself');
      this.#unwatch.set(rank, whenReleased(event.lock, ended));
    } else this.#listener.event(rank, event);
  }
}
