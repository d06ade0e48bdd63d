/** A thread that adds up buckets of gradients for a rank, as the rank sees it. */
import type { FromReducer, ReducedBucket, ReduceRequest, ToReducer } from '../common/index.ts';
import type { BucketReducer } from './bucket_reducer.ts';
import { RankLost } from './transport/link.ts';

/** The rank's end of the connection, as `protocol/reducer_port.ts` makes it. */
export interface ReducerPortLike {
  send(message: ToReducer): void;
  onMessage(listener: (message: FromReducer) => void): void;
  onDeath(listener: () => void): void;
  close(): void;
}

interface Waiting {
  resolve: (bucket: ReducedBucket) => void;
  reject: (error: Error) => void;
}

export class ReducerThread implements BucketReducer {
  readonly #port: ReducerPortLike;
  readonly #patience: () => number;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #isDead = false;

  /** @param patience how long another rank may be waited for, milliseconds; read for each bucket */
  constructor(port: ReducerPortLike, patience: () => number) {
    this.#port = port;
    this.#patience = patience;
    port.onMessage((message) => this.#hear(message));
    port.onDeath(() => this.#die());
  }

  /** @throws RankLost if another rank is gone or does not answer */
  reduce(request: ReduceRequest): Promise<ReducedBucket> {
    const id = this.#next++;
    if (this.#isDead) return Promise.reject(stopped());
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.send({ type: 'reduce', id, patience: this.#patience(), ...request });
    });
  }

  /** Nothing more comes from this rank: what waits for it is rejected. */
  lose(rank: number, why: string): void {
    this.#port.send({ type: 'rank_gone', rank, why });
  }

  close(): void {
    this.#port.close();
  }

  #die(): void {
    this.#isDead = true;
    for (const { reject } of this.#waiting.values()) reject(stopped());
    this.#waiting.clear();
  }

  #hear(message: FromReducer): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    switch (message.type) {
      case 'reduced':
        return waiting?.resolve(message);
      case 'failed': {
        const { lost, message: text } = message;
        return waiting?.reject(lost ? new RankLost(lost.rank, lost.why) : new Error(text));
      }
      default:
        message satisfies never;
    }
  }
}

const stopped = (): Error => new Error('The worker that adds up gradients has stopped.');
