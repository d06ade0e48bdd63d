/**
 * Steps that are submitted and whose results have not arrived. Reads half of the in-flight results
 * while the other half is still being submitted, and blocks only when the in-flight limit is
 * reached, so that the device is not idle.
 */
import type { Ring, RingEntry, RingRead } from '../backend/index.ts';

/** Largest number of steps in flight. */
export const IN_FLIGHT = 32;

/** Largest device time in flight, milliseconds, so that a pause takes effect soon. */
const IN_FLIGHT_MS = 250;

/** A result with its device time, averaged over the results that arrived together. */
export type TimedEntry = RingEntry & { ms: number };

export class StepsInFlight {
  /** Milliseconds of one of the latest steps; 0 before the first result. */
  step_ms = 0;
  readonly #ring: Pick<Ring, 'pending' | 'full' | 'immediate' | 'read'>;
  readonly #now: () => number;
  /** Reads that have begun, oldest first. */
  #reads: RingRead[] = [];
  /** When the device began the oldest unreported step, as far as JavaScript can tell. */
  #oldestBegan = 0;

  constructor(
    ring: Pick<Ring, 'pending' | 'full' | 'immediate' | 'read'>,
    now: () => number = () => performance.now(),
  ) {
    this.#ring = ring;
    this.#now = now;
  }

  get count(): number {
    return this.#reads.reduce((sum, read) => sum + read.steps, this.#ring.pending);
  }

  /** Whether results of earlier steps must be taken before another step is submitted. */
  get mustWait(): boolean {
    if (this.#ring.immediate && this.count > 0) return true;
    const limitReached = this.count >= IN_FLIGHT || this.count * this.step_ms >= IN_FLIGHT_MS;
    return limitReached || this.#ring.full;
  }

  /** Called before a step is submitted. */
  begin(): void {
    if (this.count === 0) this.#oldestBegan = this.#now();
  }

  /**
   * Results that have arrived, in order. Begins to read the rest once half of the in-flight limit
   * is submitted, or at once if `soon`. Blocks only if `mustWait`, and then only for the oldest
   * read.
   */
  async follow(soon: boolean): Promise<TimedEntry[]> {
    if (this.#reads.length === 0 && (soon || this.mustWait || this.#halfSubmitted)) this.#read();
    const [oldest] = this.#reads;
    if (!oldest || (oldest.arrived === null && !this.mustWait)) return [];
    this.#reads.shift();
    return this.#entriesOf([oldest]);
  }

  /** Results of all submitted steps, in order. Waits for the device to finish. */
  async all(): Promise<TimedEntry[]> {
    this.#read();
    const reads = this.#reads;
    this.#reads = [];
    return this.#entriesOf(reads);
  }

  get #halfSubmitted(): boolean {
    const limit = Math.max(1, Math.min(IN_FLIGHT, Math.ceil(IN_FLIGHT_MS / this.step_ms)));
    return this.#ring.pending >= Math.ceil(limit / 2);
  }

  #read(): void {
    const read = this.#ring.read();
    if (read) this.#reads.push(read);
  }

  /** Reads that are taken together share their time: a busy worker sees them arrive at once. */
  async #entriesOf(reads: readonly RingRead[]): Promise<TimedEntry[]> {
    const entries = (await Promise.all(reads.map((read) => read.entries))).flat();
    if (entries.length === 0) return [];
    const end = reads.at(-1)?.arrived ?? this.#now();
    const ms = (end - this.#oldestBegan) / entries.length;
    this.step_ms = ms;
    this.#oldestBegan = end;
    return entries.map((entry) => ({ ...entry, ms }));
  }
}
