/** The rank's side of a thread that reduces its buckets of gradients (`reducer_server.ts`). */
import type { FromReducer, ReducedBucket, ReduceRequest, ToReducer } from '../common/index.ts';
import type { BucketReducer } from './bucket_reducer.ts';
import { RankLost } from './transport/link.ts';

/** The rank's end of the connection, as `protocol/reducer_port.ts` makes it. */
export interface ReducerPortLike {
  send(message: ToReducer): void;
  onMessage(listener: (message: FromReducer) => void): void;
  onDeath(listener: (reason: string) => void): void;
  close(): void;
}

interface Waiting {
  resolve: (bucket: ReducedBucket) => void;
  reject: (error: Error) => void;
}

/** The thread has stopped, so the rank cannot continue. */
export class ReducerStopped extends Error {
  constructor(reason: string) {
    super(`The worker that adds up its gradients stopped: ${reason}.`);
    this.name = 'ReducerStopped';
  }
}

export class ReducerThread implements BucketReducer {
  readonly #port: ReducerPortLike;
  readonly #patience: () => number;
  readonly #waiting = new Map<number, Waiting>();
  /** Id of the next request. */
  #next = 0;
  /** Why the thread has stopped; null while it works. */
  #stopped: Error | null = null;

  /** @param patience how long another rank may be waited for, in milliseconds; called for each bucket */
  constructor(port: ReducerPortLike, patience: () => number) {
    this.#port = port;
    this.#patience = patience;
    port.onMessage((message) => this.#hear(message));
    port.onDeath((reason) => this.#die(reason));
  }

  /** @throws RankLost if another rank is gone or does not answer, or ReducerStopped */
  reduce(request: ReduceRequest): Promise<ReducedBucket> {
    const id = this.#next++;
    if (this.#stopped) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.send({ type: 'reduce', id, patience: this.#patience(), ...request });
    });
  }

  /** Rejects what waits for a rank that sends nothing more. `why`: see RankLost. */
  lose(rank: number, why: string): void {
    this.#port.send({ type: 'rank_gone', rank, why });
  }

  close(): void {
    this.#port.close();
  }

  #die(reason: string): void {
    const stopped = new ReducerStopped(reason);
    this.#stopped ??= stopped;
    for (const { reject } of this.#waiting.values()) reject(stopped);
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
