/** Jobs that the user requests while a run trains: they run between two steps. */
import type { Control } from '../train/index.ts';

export class Jobs {
  readonly #control: Control;
  /** Rejects each job that is not done. */
  readonly #pending = new Set<(error: Error) => void>();
  /** Why no job is accepted any more. */
  #closed: Error | null = null;

  constructor(control: Control) {
    this.#control = control;
  }

  /**
   * Runs `action` between two steps, while paused too. Rejects with what it throws, or with the
   * error of `close`.
   */
  add<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#control.between(async () => {
        // Rejected while it waited.
        if (!this.#pending.has(reject)) return;
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

  /** Rejects the jobs that are not done and all later ones: the run is over, or its device is lost. */
  close(error: Error): void {
    this.#closed ??= error;
    for (const reject of this.#pending) reject(this.#closed);
    this.#pending.clear();
  }
}
