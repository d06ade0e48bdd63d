/**
 * The threads of an engine: the caller's, which leads, and helpers. Results have the same bits with
 * any number of them, so the number may change between two lists.
 */
import type { EngineExports } from './exports.ts';
import { Helper } from './helper.ts';
import { SPINS } from './thread_messages.ts';

export interface ThreadSetup {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** The instance of the caller's thread. */
  leader: EngineExports;
  /** Reserves scratch memory for one more thread, and returns its address. */
  scratch: () => number;
  /** How often a thread polls before it sleeps. */
  spins?: number | undefined;
}

export class Threads {
  readonly #setup: ThreadSetup;
  readonly #leaderScratch: number;
  /** Helpers that have started; the first `count - 1` of them serve. */
  #helpers: Helper[] = [];
  #count = 1;
  #changing: Promise<unknown> = Promise.resolve();
  #ended = false;

  /** One thread, the caller's. */
  constructor(setup: ThreadSetup) {
    this.#setup = setup;
    this.#leaderScratch = setup.scratch();
    setup.leader.setThread(1, this.#leaderScratch, 0);
  }

  /** Number of threads that run lists now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Runs lists with `count` threads, or with fewer if not all of them can be started. Resolves to
   * their number. Lists may be run meanwhile: the caller's thread then runs them alone.
   */
  use(count: number): Promise<number> {
    const changed = this.#changing.then(() => this.#change(count));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #change(count: number): Promise<number> {
    if (this.#ended || count === this.#count) return this.#count;
    await this.#park();
    await this.#startHelpers(count - 1);
    if (this.#ended) return this.#count;
    const serving = this.#helpers.slice(0, count - 1);
    this.#count = serving.length + 1;
    const { leader, spins = SPINS } = this.#setup;
    const how = { count: this.#count, seen: leader.published(), spins };
    for (const helper of serving) helper.serve(how);
    leader.setThread(this.#count, this.#leaderScratch, spins);
    return this.#count;
  }

  /**
   * Waits until no helper serves, and ends helpers that do not answer. A helper that still served
   * would run the next list with the old number of threads.
   */
  async #park(): Promise<void> {
    const { leader } = this.#setup;
    const serving = this.#helpers.slice(0, this.#count - 1);
    leader.stop();
    leader.setThread(1, this.#leaderScratch, 0);
    this.#count = 1;
    const parked = await Promise.all(serving.map((helper) => helper.parked()));
    const gone = serving.filter((_helper, index) => parked[index] === false);
    for (const helper of gone) helper.end();
    this.#helpers = this.#helpers.filter((helper) => !gone.includes(helper));
  }

  async #startHelpers(wanted: number): Promise<void> {
    const { module, memory, scratch } = this.#setup;
    const missing = Math.max(0, wanted - this.#helpers.length);
    const started = Array.from({ length: missing }, async (): Promise<Helper | null> => {
      const helper = new Helper();
      try {
        await helper.start({ module, memory, scratch: scratch() });
        return helper;
      } catch (error) {
        console.warn(error);
        helper.end();
        return null;
      }
    });
    const helpers = await Promise.all(started);
    for (const helper of helpers) {
      if (!helper) continue;
      if (this.#ended) helper.end();
      else this.#helpers.push(helper);
    }
  }

  /** For tests: ends a helper as a browser does that needs its memory. The next list then fails. */
  async endOneHelper(): Promise<void> {
    const count = this.#count;
    await this.use(1);
    this.#helpers[0]?.end();
    await this.use(count);
  }

  /** Ends all helpers at once. The engine cannot be used any more if they were running a list. */
  end(): void {
    this.#ended = true;
    for (const helper of this.#helpers) helper.end();
  }
}
