/**
 * Steps that are submitted and whose results are not here yet. Results are read while later steps
 * keep the device busy: a read of the first half begins when the second half is still to be
 * submitted, and nothing waits for it but where no more steps may be under way.
 */
import type { Ring, RingEntry, RingRead } from '../backend/index.ts';

/**
 * Steps, and milliseconds of them, that may be under way before the loop waits for results: a pause
 * is then noticed soon.
 */
export const IN_FLIGHT = 32;
const IN_FLIGHT_MS = 250;

/**
 * With the milliseconds that the device took for it, or for each of those that were read together.
 */
export type TimedEntry = RingEntry & { ms: number };

export class StepsInFlight {
  /** Milliseconds of a step, of those whose results were taken last; 0 before. */
  step_ms = 0;
  private reads: RingRead[] = [];
  /**
   * When the device began with the oldest step whose results were not taken, as far as is known.
   */
  private begun = 0;

  constructor(
    private readonly ring: Pick<Ring, 'pending' | 'full' | 'immediate' | 'read'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get count(): number {
    return this.ring.pending + this.reads.reduce((n, r) => n + r.steps, 0);
  }
  /** True when the results of earlier steps have to be taken before another one runs. */
  get mustWait(): boolean {
    return (
      (this.ring.immediate && this.count > 0) ||
      this.ring.full ||
      this.count >= IN_FLIGHT ||
      this.count * this.step_ms >= IN_FLIGHT_MS
    );
  }

  /** Called before a step is submitted. */
  begin(): void {
    if (this.count === 0) this.begun = this.now();
  }

  /**
   * What has arrived, in order; begins to read the rest when half of the steps that may be under
   * way are submitted, or `soon`. Waits only where `mustWait`, and then for the oldest read alone.
   */
  async follow(soon: boolean): Promise<TimedEntry[]> {
    const most = Math.max(1, Math.min(IN_FLIGHT, Math.ceil(IN_FLIGHT_MS / this.step_ms)));
    if (
      this.reads.length === 0 &&
      (soon || this.mustWait || this.ring.pending >= Math.ceil(most / 2))
    )
      this.read();
    const [oldest] = this.reads;
    if (!oldest || (oldest.arrived === null && !this.mustWait)) return [];
    this.reads.shift();
    return this.taken([oldest]);
  }

  /** Everything that was submitted, in order: waits for the device to end it all. */
  async all(): Promise<TimedEntry[]> {
    this.read();
    const reads = this.reads;
    this.reads = [];
    return this.taken(reads);
  }

  private read(): void {
    const read = this.ring.read();
    if (read) this.reads.push(read);
  }

  /**
   * What is taken together shares its time: a worker that was busy learns of several reads at one
   * moment.
   */
  private async taken(reads: readonly RingRead[]): Promise<TimedEntry[]> {
    const entries = (await Promise.all(reads.map((r) => r.entries))).flat();
    if (entries.length === 0) return [];
    const end = reads.at(-1)?.arrived ?? this.now();
    const ms = (end - this.begun) / entries.length;
    this.step_ms = ms;
    this.begun = end;
    return entries.map((entry) => ({ ...entry, ms }));
  }
}
