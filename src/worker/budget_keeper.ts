/** Keeps the storage budget while a run trains: prunes after its saves, and says what it removed. */
import { prune, type RunStore } from '../checkpoint/index.ts';
import type { WorkerPort } from '../protocol/index.ts';
import { prunedSentences } from './pruned.ts';

export class BudgetKeeper {
  readonly #storage: () => Promise<RunStore>;
  readonly #port: Pick<WorkerPort, 'emit'>;
  #busy = false;
  /** The user was told that nothing more can be removed. */
  #saidExcess = false;

  constructor(storage: () => Promise<RunStore>, port: Pick<WorkerPort, 'emit'>) {
    this.#storage = storage;
    this.#port = port;
  }

  /** Does nothing if the last call is not done. Never rejects: the save that it follows was fine. */
  keep(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#keep()
      .catch((error: unknown) => console.error(error))
      .finally(() => {
        this.#busy = false;
      });
  }

  async #keep(): Promise<void> {
    const pruned = await prune(await this.#storage());
    if (pruned.bytes === 0 && (pruned.excess === 0 || this.#saidExcess)) return;
    this.#saidExcess ||= pruned.excess > 0;
    this.#port.emit({ type: 'notice', message: prunedSentences(pruned).join(' ') });
  }
}
