/**
 * Long work in the worker, in slices: between two of them messages are heard, progress is told, and
 * a cancellation is noticed.
 */
import { DataError } from './errors.ts';

/** Milliseconds of work between two pauses. */
const SLICE = 50;

export interface SliceOptions<P> {
  onProgress?: (progress: P) => void;
  signal?: AbortSignal;
}

/**
 * A function to call after each small piece of work. It pauses when a slice is over, and where
 * `done` has come to `total`; otherwise it returns undefined at once.
 * @param what what is cancelled, for the message.
 * @throws DataError cancelled, at once where the signal is aborted already.
 */
export function slicer<P extends { done: number; total: number }>(
  what: string,
  { onProgress, signal }: SliceOptions<P>,
): (progress: P) => Promise<void> | undefined {
  let last = performance.now();
  const check = () => {
    if (signal?.aborted)
      throw new DataError('cancelled', `${what} was cancelled.`, 'Start again when you like.');
  };
  check();
  return (progress) => {
    if (performance.now() - last < SLICE && progress.done < progress.total) return undefined;
    onProgress?.(progress);
    return new Promise<void>((resolve) => setTimeout(resolve, 0)).then(() => {
      last = performance.now();
      check();
    });
  };
}
