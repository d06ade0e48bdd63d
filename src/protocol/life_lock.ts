/**
 * Notices the end of a worker at once, even if it closes itself. Browsers report that neither to the page
 * nor to the other end of a message port, but they release the Web Locks that the worker held.
 *
 * Without Web Locks (a page that is not a secure context), an end shows as silence only.
 */
import { randomId } from '../common/random_id.ts';

/** The part of LockManager that is needed; tests pass their own. */
export interface LifeLocks {
  request(name: string, held: () => Promise<void>): Promise<void>;
  request(name: string, options: { signal: AbortSignal }, held: () => void): Promise<void>;
}

/** Null where the browser has no Web Locks. */
const browserLocks = (): LifeLocks | null =>
  typeof navigator !== 'undefined' && 'locks' in navigator ? navigator.locks : null;

/**
 * Takes a lock of a new name and holds it for as long as this worker exists. Resolves to the name once
 * it is held, or to null if the browser has no locks or refuses them. Never rejects.
 */
export function holdLifeLock(locks = browserLocks()): Promise<string | null> {
  if (!locks) return Promise.resolve(null);
  const name = `terrarium worker ${randomId()}`;
  return new Promise((resolve) => {
    const held = () => {
      resolve(name);
      return new Promise<void>(() => undefined);
    };
    locks.request(name, held).catch(() => resolve(null));
  });
}

/**
 * Calls the listener once the worker that holds this lock has ended. Returns a function after which it
 * is no longer called, as when the worker is ended on purpose.
 */
export function whenReleased(
  name: string,
  listener: () => void,
  locks = browserLocks(),
): () => void {
  const stopped = new AbortController();
  const { signal } = stopped;
  const released = () => {
    if (!signal.aborted) listener();
  };
  // Rejects when it is aborted, or if the page is being closed.
  locks?.request(name, { signal }, released).catch(() => undefined);
  return () => stopped.abort();
}
