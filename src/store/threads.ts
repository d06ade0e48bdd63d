/**
 * How many threads of the processor the user allows. It belongs to this browser, not to a run:
 * results have the same bits with any number.
 */
import { createStore } from 'zustand/vanilla';
import type { PagePort } from '../protocol/index.ts';

const KEY = 'terrarium-threads';

export interface ThreadWish {
  /** Null uses as many threads as are fastest here. */
  threads: number | null;
}

export const threadWish = createStore<ThreadWish>(() => ({ threads: storedThreads() }));

function storedThreads(): number | null {
  try {
    const threads = Number(localStorage.getItem(KEY));
    return Number.isInteger(threads) && threads > 0 ? threads : null;
  } catch {
    // There is no storage in tests, and in pages that block it.
    return null;
  }
}

/** Sets the number, for all workers of this page and for later visits. */
export function wishThreads(threads: number | null): void {
  threadWish.setState({ threads });
  try {
    if (threads === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, String(threads));
  } catch {
    // It then holds for this visit.
  }
}

/** Tells every worker that `spawn` starts how many threads it may use, now and whenever it changes. */
export function withThreadWish(spawn: () => PagePort): () => PagePort {
  return () => {
    const port = spawn();
    const tell = ({ threads }: ThreadWish): void => port.send({ type: 'set_threads', threads });
    const wish = threadWish.getState();
    if (wish.threads !== null) tell(wish);
    const unsubscribe = threadWish.subscribe(tell);
    const close = (): void => {
      unsubscribe();
      port.close();
    };
    return { ...port, close };
  };
}
