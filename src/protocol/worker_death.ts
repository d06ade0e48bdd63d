/** How the end that has started a worker learns that the worker can do nothing more. */

interface Mortal {
  addEventListener(type: 'error' | 'messageerror', listener: (event: Event) => void): void;
}

const messageOf = (event: Event): string =>
  'message' in event && typeof event.message === 'string' ? event.message : '';

/** Calls the listener with the reason, in words. */
export function listenForDeath(worker: Mortal, listener: (reason: string) => void): void {
  worker.addEventListener('error', (event) =>
    listener(messageOf(event) || 'its program could not be loaded'),
  );
  worker.addEventListener('messageerror', () => listener('one of its messages could not be read'));
}
