/** How long a rank waits for another one before it takes it for hung. */

/** What ranks do together; an evaluation may take as long as many steps. */
export type SharedWork = 'step' | 'evaluation';

/** Building programs takes its time, and ranks do not finish it at the same time. */
const AT_START_MS = 120_000;
/** Another rank may take this many of the longest times so far, and at least as long as follows. */
const TIMES = 3;
const LEAST_MS = 2000;
/** Answers of one rank may be many times longer than those of another. */
const LEAST_SAMPLING_MS = 20_000;

export class Patience {
  /** Whether the objective samples answers. */
  samples = false;
  #work: SharedWork = 'step';
  /** Milliseconds; 0 before the first one. */
  readonly #longest: Record<SharedWork, number> = { step: 0, evaluation: 0 };

  /** Milliseconds, by the longest time that the work in progress has taken before. */
  get ms(): number {
    const longest = this.#longest[this.#work];
    if (longest === 0) return AT_START_MS;
    return Math.max(this.samples ? LEAST_SAMPLING_MS : LEAST_MS, TIMES * longest);
  }

  async during<T>(work: SharedWork, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.#work = work;
    const result = await run();
    this.#longest[work] = Math.max(this.#longest[work], performance.now() - began);
    return result;
  }
}
