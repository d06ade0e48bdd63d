/**
 * Measures the time spent training. Evaluation, sampling, saving, pauses and the computer's sleep
 * are not included.
 */

/**
 * A gap between two ticks counts as sleep if it is longer than this and than SLEEP_RATIO times the
 * longest gap so far. Slow steps are not sleep.
 */
const SLEEP_MS = 60_000;
const SLEEP_RATIO = 20;

/** How long the loop may keep the worker's thread before it lets other tasks run. */
const YIELD_MS = 8;

export class Clock {
  readonly #total: { seconds: number };
  readonly #onSleep: (seconds: number) => void;
  readonly #now: () => number;
  #running = true;
  #lastTick: number;
  #lastFlush: number;
  #lastYield: number;
  #longestGap = 0;
  /** Whether the computer has slept since the last call of `recorded`. */
  #slept = false;

  /**
   * Adds to `total.seconds`, and calls `onSleep` when the computer has slept. `now` is in
   * milliseconds and must include sleep, as Date.now does.
   */
  constructor(
    total: { seconds: number },
    onSleep: (seconds: number) => void,
    now: () => number = Date.now,
  ) {
    this.#total = total;
    this.#onSleep = onSleep;
    this.#now = now;
    this.#lastTick = now();
    this.#lastFlush = this.#lastTick;
    this.#lastYield = this.#lastTick;
  }

  pause(): void {
    if (!this.#running) return;
    this.#tick();
    this.#running = false;
  }

  /** Returns whether the clock was paused. */
  resume(): boolean {
    if (this.#running) return false;
    this.#running = true;
    this.#lastTick = this.#now();
    this.#lastFlush = this.#lastTick;
    this.#lastYield = this.#lastTick;
    return true;
  }

  /** Excludes this many milliseconds, which were spent on something else since the last tick. */
  exclude(ms: number): void {
    this.#lastTick += ms;
  }

  /** Called after each step. */
  stepped(): void {
    this.#tick();
  }

  /** Whether the last flush of metrics (or the start) is at least this long ago. */
  flushDue(ms: number): boolean {
    return this.#now() - this.#lastFlush >= ms;
  }

  flushed(): void {
    this.#lastFlush = this.#now();
  }

  /** Whether the loop should let other tasks run now; if so, the interval starts again. */
  yieldDue(): boolean {
    if (this.#now() - this.#lastYield < YIELD_MS) return false;
    this.#lastYield = this.#now();
    return true;
  }

  /**
   * Called when results arrive. Reports whether the computer has slept since the last call, which
   * makes their times meaningless.
   */
  recorded(): { slept: boolean } {
    this.#tick();
    const slept = this.#slept;
    this.#slept = false;
    this.#lastYield = this.#now();
    return { slept };
  }

  #tick(): void {
    if (!this.#running) return;
    const now = this.#now();
    const gap = now - this.#lastTick;
    this.#lastTick = now;
    if (this.#isSleep(gap)) {
      this.#slept = true;
      this.#onSleep(gap / 1000);
      return;
    }
    this.#longestGap = Math.max(this.#longestGap, gap);
    this.#total.seconds += gap / 1000;
  }

  #isSleep(gap: number): boolean {
    return gap > SLEEP_MS && this.#longestGap > 0 && gap > SLEEP_RATIO * this.#longestGap;
  }
}
