/** The interface of a transport: what carries messages between ranks, and how it fails. */

/** Values of a message. The sender loses them, because their buffer may be transferred. */
export type Payload =
  Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export interface Message {
  data: Payload;
  /** When it was sent, in milliseconds of `now()`. */
  sent: number;
}

/**
 * The connections of one rank to all others. Messages between two ranks arrive in the order in which
 * they were sent, and are received by tag, because several collectives may be in flight at once.
 */
export interface Link {
  readonly rank: number;
  readonly size: number;
  /** Sends without waiting. Takes ownership of `data`. */
  send(to: number, tag: string, data: Payload): void;
  /**
   * The next message with this tag from a rank.
   *
   * @throws RankLost if the other rank is gone or does not answer
   */
  receive(from: number, tag: string): Promise<Message>;
  /** Ends this rank: what waits for it on other ranks is rejected. */
  close(): void;
}

/**
 * A rank is gone, or has been silent for too long; the run cannot continue without it. `why` is the
 * predicate of a sentence about the rank, such as "is gone".
 */
export class RankLost extends Error {
  constructor(
    readonly rank: number,
    readonly why: string,
  ) {
    super(`Rank ${rank} ${why}, so the run has ended.`);
    this.name = 'RankLost';
  }
}

/** Milliseconds since 1970, comparable between the workers of one machine. */
export const now = (): number => performance.timeOrigin + performance.now();
