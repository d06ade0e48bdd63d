/** What carries messages between the ranks of a mesh, and what can go wrong with it. */

/** Values that travel. The sender gives them up: their buffer may be transferred. */
export type Payload =
  Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export interface Message {
  data: Payload;
  /** When it was sent, milliseconds of `now()`. */
  sent: number;
}

/**
 * Messages between two ranks arrive in the order in which they were sent, and are received by tag:
 * several collectives may be under way at a time.
 */
export interface Link {
  readonly rank: number;
  readonly size: number;
  /** Takes over `data`. Does not wait. */
  send(to: number, tag: string, data: Payload): void;
  /**
   * The next message of this tag from a rank.
   *
   * @throws RankLost if the other rank is gone or does not answer
   */
  receive(from: number, tag: string): Promise<Message>;
  /** Ends this rank: receivers wait no longer. */
  close(): void;
}

/** A rank is gone, or has been silent for too long; the run cannot continue without it. */
export class RankLost extends Error {
  constructor(
    readonly lost: number,
    readonly why: string,
  ) {
    super(`Rank ${lost} ${why}, so the run has ended.`);
    this.name = 'RankLost';
  }
}

/** Milliseconds since a fixed time, comparable between the workers of one machine. */
export const now = (): number => performance.timeOrigin + performance.now();
