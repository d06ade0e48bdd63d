/**
 * Runs long work in the worker in slices. Between slices the worker handles messages, reports
 * progress and notices a cancellation.
 */
import { DataError } from './errors.ts';

/** Duration of a slice, in milliseconds. */
const SLICE_MS = 50;

export interface SliceOptions<P> {
  onProgress?: (progress: P) => void;
  signal?: AbortSignal;
}

/**
 * Returns a function to call after each small piece of work. At the end of a slice, and when `done`
 * reaches `total`, it reports progress and returns a promise to await; otherwise it returns
 * undefined at once.
 *
 * @param what What is cancelled, for the message.
 * @throws DataError cancelled; at once if the signal is aborted already.
 */
export function slicer<P extends { done: number; total: number }>(
  what: string,
  { onProgress, signal }: SliceOptions<P>,
): (progress: P) => Promise<void> | undefined {
  let sliceStart = performance.now();
  const checkCancelled = () => {
    if (signal?.aborted)
      throw new DataError('cancelled', `${what} was cancelled.`, 'Start again when you like.');
  };
  checkCancelled();
  return (progress) => {
    const isFinished = progress.done >= progress.total;
    if (performance.now() - sliceStart < SLICE_MS && !isFinished) return undefined;
    onProgress?.(progress);
    return nextTask().then(() => {
      sliceStart = performance.now();
      checkCancelled();
    });
  };
}

/** A new task, not a microtask, so that pending messages are handled first. */
const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
