/** Web Locks in memory, whose holders end when a test says so. */
import type { LifeLocks } from './life_lock.ts';

export class TestingLocks implements LifeLocks {
  /** By name, ends the holder. */
  readonly #holders = new Map<string, () => void>();
  readonly #waiting = new Map<string, (() => void)[]>();

  request(name: string, held: () => Promise<void>): Promise<void>;
  request(name: string, options: { signal: AbortSignal }, held: () => void): Promise<void>;
  async request(
    name: string,
    first: { signal: AbortSignal } | (() => Promise<void>),
    second?: () => void,
  ): Promise<void> {
    if (typeof first === 'function') {
      const ended = new Promise<void>((resolve) => this.#holders.set(name, resolve));
      await Promise.race([first(), ended]);
      return;
    }
    if (this.#holders.has(name)) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
        const { signal } = first;
        signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      });
    }
    second?.();
  }

  /** Ends the worker that holds this lock, as the browser would notice it. */
  endHolderOf(name: string): void {
    this.#holders.get(name)?.();
    this.#holders.delete(name);
    for (const grant of this.#waiting.get(name) ?? []) grant();
    this.#waiting.delete(name);
  }
}
