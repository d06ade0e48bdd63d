/**
 * One holder at a time for a name: Web Locks across tabs (freed by the browser when a tab dies), or
 * a set in memory.
 */

export interface Locks {
  /**
   * Takes the lock, or says null where somebody else still has it after `patience` ms: a page that
   * was reloaded asks before the browser has cleared its former worker away. Call what it returns
   * to give the lock back.
   */
  take(name: string, patience: number): Promise<(() => void) | null>;
  /** Waits for the lock and holds it during `action`. */
  hold<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** Names that somebody holds. */
  held(): Promise<ReadonlySet<string>>;
}

export class WebLocks implements Locks {
  constructor(private readonly manager: LockManager) {}

  take(name: string, patience: number): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      this.manager
        .request(
          name,
          { signal: AbortSignal.timeout(patience) },
          () => new Promise<void>((release) => resolve(release)),
        )
        .catch((error: unknown) =>
          error instanceof DOMException &&
          (error.name === 'TimeoutError' || error.name === 'AbortError')
            ? resolve(null)
            : reject(error instanceof Error ? error : new Error(String(error))),
        );
    });
  }

  async hold<T>(name: string, action: () => Promise<T>): Promise<T> {
    return this.manager.request(name, action);
  }

  async held(): Promise<ReadonlySet<string>> {
    return new Set((await this.manager.query()).held?.map((lock) => lock.name ?? ''));
  }
}

export class MemoryLocks implements Locks {
  private readonly names = new Set<string>();
  private readonly queues = new Map<string, Promise<unknown>>();

  async take(name: string, _patience: number): Promise<(() => void) | null> {
    if (this.names.has(name)) return null;
    this.names.add(name);
    return () => void this.names.delete(name);
  }

  async hold<T>(name: string, action: () => Promise<T>): Promise<T> {
    const turn = (this.queues.get(name) ?? Promise.resolve()).then(action, action);
    this.queues.set(name, turn);
    return turn;
  }

  async held(): Promise<ReadonlySet<string>> {
    return new Set(this.names);
  }
}
