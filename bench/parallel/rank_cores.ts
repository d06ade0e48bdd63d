/** The cores of a measurement: chosen once, checked before and after each case. */
import { chooseCores, type CoreChoice } from './core_choice.ts';
import { CoreProbes } from './core_probe.ts';
import { bindProcess, processors, stolenTimes } from './cores.ts';

export interface CoreRequest {
  /** These in this order, instead of those that a measurement finds. */
  given?: readonly number[];
  /** Whether to choose by measuring; the first ones otherwise. */
  choose: boolean;
  /** Whether threads are bound at all. */
  bind: boolean;
}

/** What the cores of a case looked like. */
export interface CoresSeen {
  cores: readonly number[];
  /** The probe's work on all of them at once, as a factor of the fastest core alone. */
  slowdowns: { before: number[]; after: number[] };
  /** Milliseconds that the host gave to others on each of them. */
  stolen: number[];
}

/** Four ranks and a reducer beside each. */
const MOST_THREADS = 8;

/** Cores are chosen anew if one of them has become slower than this factor of the fastest alone. */
const TOLERATED = 1.2;

/** Choosing takes seconds. */
const MOST_CHOICES = 3;

export class RankCores {
  readonly #request: CoreRequest;
  readonly #processors: readonly number[];
  #chosen: readonly number[] = [];
  /** The probe's work on the fastest core alone; NaN if cores were not chosen by measuring. */
  #bestMs = NaN;
  #choices = 0;

  constructor(request: CoreRequest) {
    this.#request = request;
    this.#processors = request.bind ? processors() : [];
  }

  /** Ranks first, then their reducers; empty if threads are not bound. */
  get chosen(): readonly number[] {
    return this.#chosen;
  }

  /** Chooses the cores, and moves this process's own threads to others if there are any. */
  async choose(): Promise<Partial<CoreChoice>> {
    const { given, choose } = this.#request;
    const all = this.#processors;
    if (given !== undefined || !choose || all.length === 0) {
      this.#chosen = given ?? all.slice(0, MOST_THREADS);
      if (given) this.#leave(all.filter((core) => !given.includes(core)));
      return { cores: [...this.#chosen] };
    }
    // One more, for the process's other threads: it disturbs none of them either.
    const choice = await withProbes((probes) =>
      chooseCores(all, MOST_THREADS + 1, (cores) => probes.together(cores)),
    );
    this.#choices++;
    this.#bestMs = choice.best_ms;
    this.#chosen = choice.cores.slice(0, MOST_THREADS);
    this.#leave(choice.cores.slice(MOST_THREADS));
    return choice;
  }

  /** Measures with `threads` of the cores, and says what they looked like meanwhile. */
  async watch<T>(
    threads: number,
    measure: () => Promise<T>,
  ): Promise<{ result: T; seen: CoresSeen }> {
    let before = await this.#slowdowns(threads);
    if (before.some((factor) => factor > TOLERATED) && this.#choices < MOST_CHOICES) {
      await this.choose();
      before = await this.#slowdowns(threads);
    }
    const stolenBefore = stolenTimes();
    const result = await measure();
    const stolenAfter = stolenTimes();
    const cores = this.#chosen.slice(0, threads);
    const stolen = cores.map(
      (core) => (stolenAfter.get(core) ?? 0) - (stolenBefore.get(core) ?? 0),
    );
    const after = await this.#slowdowns(threads);
    return { result, seen: { cores, slowdowns: { before, after }, stolen } };
  }

  /** Empty if cores were not chosen by measuring. */
  async #slowdowns(threads: number): Promise<number[]> {
    if (Number.isNaN(this.#bestMs)) return [];
    const cores = this.#chosen.slice(0, threads);
    const times = await withProbes((probes) => probes.together(cores));
    return times.map((ms) => ms / this.#bestMs);
  }

  /** Binds this process's present and later threads to cores that no rank has. */
  #leave(others: readonly number[]): void {
    if (others.length > 0) bindProcess(others);
  }
}

async function withProbes<T>(run: (probes: CoreProbes) => Promise<T>): Promise<T> {
  const probes = new CoreProbes();
  try {
    return await run(probes);
  } finally {
    await probes.close();
  }
}
