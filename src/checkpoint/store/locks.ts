/**
 * Named locks with one holder at a time: Web Locks across tabs, which the browser releases when a tab
 * closes, or locks in memory.
 */

export interface Locks {
  /**
   * Takes the lock and returns a function that releases it, or returns null if it is still held after
   * `patience` ms. Waiting matters for a reloaded page, which asks before the browser has terminated
   * the former worker.
   */
  take(name: string, patience: number): Promise<(() => void) | null>;
  /** Waits for the lock and holds it during `action`. */
  hold<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** Resolves when nobody holds the lock. */
  whenFree(name: string): Promise<void>;
  /** Names of all locks that are held. */
  held(): Promise<ReadonlySet<string>>;
}

export class WebLocks implements Locks {
  readonly #manager: LockManager;

  constructor(manager: LockManager) {
    this.#manager = manager;
  }

  take(name: string, patience: number): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(patience);
      // The lock is held until the promise of the callback settles.
      const held = () => new Promise<void>((release) => resolve(release));
      this.#manager.request(name, { signal }, held).catch((error: unknown) => {
        if (isTimeout(error)) resolve(null);
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  async hold<T>(name: string, action: () => Promise<T>): Promise<T> {
    return this.#manager.request(name, action);
  }

  async whenFree(name: string): Promise<void> {
    await this.#manager.request(name, { mode: 'shared' }, () => undefined);
  }

  async held(): Promise<ReadonlySet<string>> {
    const { held = [] } = await this.#manager.query();
    return new Set(held.map((lock) => lock.name ?? ''));
  }
}

const isTimeout = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'TimeoutError' || error.name === 'AbortError');

export class MemoryLocks implements Locks {
  readonly #names = new Set<string>();
  /** Who waits until a lock is free. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #queues = new Map<string, Promise<unknown>>();

  async take(name: string, _patience: number): Promise<(() => void) | null> {
    if (this.#names.has(name)) return null;
    this.#names.add(name);
    return () => {
      this.#names.delete(name);
      for (const wake of this.#waiting.get(name) ?? []) wake();
      this.#waiting.delete(name);
    };
  }

  whenFree(name: string): Promise<void> {
    if (!this.#names.has(name)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
    });
  }

  async hold<T>(name: string, action: () => Promise<T>): Promise<T> {
    const result = (this.#queues.get(name) ?? Promise.resolve()).then(action, action);
    this.#queues.set(name, result);
    return result;
  }

  async held(): Promise<ReadonlySet<string>> {
    return new Set(this.#names);
  }
}
