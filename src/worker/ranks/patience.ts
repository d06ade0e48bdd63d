/** How long a rank waits for another one before it takes it for hung. */

/** What ranks do together; an evaluation or a save may take as long as many steps. */
export type SharedWork = 'step' | 'evaluation' | 'save';

/** Building programs takes its time, and ranks do not finish it at the same time. */
const AT_START_MS = 120_000;
/** Another rank may take this many of the longest times so far, and at least as long as follows. */
const TIMES = 3;
/**
 * Where steps take milliseconds, three of them are shorter than a busy computer may hold up a thread:
 * with 15 threads ready to run per core, steps of 5 ms took up to 630 ms (bench/parallel/README.md).
 */
const LEAST_MS = 1000;
/** Answers of one rank may be many times longer than those of another. */
const LEAST_SAMPLING_MS = 20_000;
/** Before the first save it is not known how long a rank reads its part back from its device. */
const AT_FIRST_SAVE_MS = 10_000;

export class Patience {
  /** Whether the objective samples answers. */
  samples = false;
  #work: SharedWork = 'step';
  /** Milliseconds, as if no rank had been made slow; 0 before the first one. */
  readonly #longest: Record<SharedWork, number> = { step: 0, evaluation: 0, save: 0 };
  /** By rank, how many times slower than its device the page makes it. */
  readonly #slowness = new Map<number, number>();
  /** The largest of them since the work in progress began. */
  #slowest = 1;

  /** Milliseconds, by the longest time that the work in progress has taken before. */
  get ms(): number {
    const longest = this.#longest[this.#work] * this.#slowest;
    if (longest === 0) return this.#work === 'save' ? AT_FIRST_SAVE_MS : AT_START_MS;
    return Math.max(this.samples ? LEAST_SAMPLING_MS : LEAST_MS, TIMES * longest);
  }

  /** A slow rank is waited for longer from the first slow step on. */
  slow(rank: number, factor: number): void {
    this.#slowness.set(rank, factor);
    this.#slowest = Math.max(this.#slowest, factor);
  }

  async during<T>(work: SharedWork, run: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.#work = work;
    this.#slowest = Math.max(1, ...this.#slowness.values());
    const result = await run();
    const took = (performance.now() - began) / this.#slowest;
    this.#longest[work] = Math.max(this.#longest[work], took);
    return result;
  }
}
