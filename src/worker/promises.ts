/** Promises of a beginning: several at once, and storage that is closed if one fails. */
import type { OpenRun } from '../checkpoint/index.ts';

/** Closes the run's storage if the action fails. */
export async function closingOnFailure<T>(storage: OpenRun, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** Calls `done` once the promise has resolved. */
export async function markDone<T>(promise: Promise<T>, done: () => void): Promise<T> {
  const value = await promise;
  done();
  return value;
}

/** Waits until all are settled, then throws the first failure in their order. */
export async function allSettled<A, B, C>(
  promises: readonly [Promise<A>, Promise<B>, Promise<C>],
): Promise<[A, B, C]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
