/** Times a fixed piece of work on chosen cores, alone or all of them at once. */
import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';
import { bindThread } from './cores.ts';

export interface ProbeRole {
  type: 'probe';
  core: number;
}

/** Threads that wait, one a core, until they are asked to work. */
export class CoreProbes {
  readonly #threads = new Map<number, Worker>();

  /** Milliseconds that the same work takes on each of `cores`, all at once. */
  async together(cores: readonly number[]): Promise<number[]> {
    const threads = cores.map((core) => this.#threadOf(core));
    // All of them are there before any of them begins.
    await Promise.all(threads.map((thread) => ask(thread, 'ready')));
    return Promise.all(threads.map((thread) => ask(thread, 'work')));
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#threads.values(), (thread) => thread.terminate()));
    this.#threads.clear();
  }

  #threadOf(core: number): Worker {
    const workerData: ProbeRole = { type: 'probe', core };
    const thread = this.#threads.get(core) ?? new Worker(new URL(import.meta.url), { workerData });
    this.#threads.set(core, thread);
    return thread;
  }
}

type Request = 'ready' | 'work';

async function ask(thread: Worker, request: Request): Promise<number> {
  const answer = once(thread, 'message');
  thread.postMessage(request);
  return Number((await answer)[0]);
}

/** 32 kB, which the innermost cache holds. */
const VALUES = 4096;
const ROUNDS = 1000;
const REPEATS = 9;

/** The program of a probe's thread. */
export function runProbe({ core }: ProbeRole): void {
  bindThread(core);
  const values = new Float64Array(VALUES).fill(1);
  for (let i = 0; i < 20; i++) multiplyAdd(values, ROUNDS / 10);
  parentPort?.on('message', (request: Request) => {
    parentPort?.postMessage(request === 'ready' ? 0 : workMs(values));
  });
}

function workMs(values: Float64Array): number {
  const times = Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    multiplyAdd(values, ROUNDS);
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? NaN;
}

/**
 * Eight sums that do not depend on each other keep a core's units so busy that a second thread on
 * the same physical core is seen.
 */
function multiplyAdd(values: Float64Array, rounds: number): Float64Array {
  const sums = new Float64Array(8);
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < VALUES; i += 8) {
      a += (values[i] ?? 0) * 1.1;
      b += (values[i + 1] ?? 0) * 1.2;
      c += (values[i + 2] ?? 0) * 1.3;
      d += (values[i + 3] ?? 0) * 1.4;
      e += (values[i + 4] ?? 0) * 1.5;
      f += (values[i + 5] ?? 0) * 1.6;
      g += (values[i + 6] ?? 0) * 1.7;
      h += (values[i + 7] ?? 0) * 1.8;
    }
  }
  sums.set([a, b, c, d, e, f, g, h]);
  return sums;
}
