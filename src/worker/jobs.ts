/** Jobs that the user requests while a run trains: they run between two steps. */
import type { Control } from '../train/index.ts';

export class Jobs {
  readonly #control: Control;
  /** Rejects each job that is not done. */
  readonly #pending = new Set<(error: Error) => void>();

  constructor(control: Control) {
    this.#control = control;
  }

  /**
   * Runs `action` between two steps, while paused too. Rejects with what it throws, or with the
   * error of `rejectAll`.
   */
  add<T>(action: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#control.between(async () => {
        try {
          resolve(await action());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        } finally {
          this.#pending.delete(reject);
        }
      });
    });
  }

  /** The run is over, so jobs that are not done never will be. */
  rejectAll(error: Error): void {
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }
}
