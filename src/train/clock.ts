/**
 * Time spent training, in which evaluation, samples, saving, pauses and a computer's sleep do not
 * count.
 */

/**
 * A gap between two ticks is sleep if it is longer than this and than LONGEST times the longest gap
 * so far: slow steps are not sleep.
 */
const SLEEP_MS = 60_000;
const LONGEST = 20;

export class Clock {
  private since: number;
  private running = true;
  private lastFlush: number;
  private lastBreath: number;
  private asleep = false;
  private longest = 0;

  /**
   * Adds to `total.seconds`; `now` is in milliseconds and goes on while the computer sleeps, as
   * Date.now does.
   */
  constructor(
    private readonly total: { seconds: number },
    private readonly slept: (seconds: number) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.since = this.lastFlush = this.lastBreath = now();
  }

  pause(): void {
    if (!this.running) return;
    this.tick();
    this.running = false;
  }

  /** True if it was paused. */
  resume(): boolean {
    if (this.running) return false;
    this.running = true;
    this.since = this.lastFlush = this.lastBreath = this.now();
    return true;
  }

  /** What has just been done for so long between two steps is no training. */
  leaveOut(ms: number): void {
    this.since += ms;
  }

  stepped(): void {
    this.tick();
  }
  /** Whether the last flush of metrics, or the begin, is so long ago. */
  flushDue(ms: number): boolean {
    return this.now() - this.lastFlush >= ms;
  }
  flushed(): void {
    this.lastFlush = this.now();
  }
  breathDue(): boolean {
    if (this.now() - this.lastBreath < 8) return false;
    this.lastBreath = this.now();
    return true;
  }

  /**
   * Results were taken: whether the computer slept since the last call, so that their times say
   * nothing.
   */
  recorded(): { slept: boolean } {
    this.tick();
    const slept = this.asleep;
    this.asleep = false;
    this.lastBreath = this.now();
    return { slept };
  }

  private tick(): void {
    if (!this.running) return;
    const now = this.now();
    const gap = now - this.since;
    this.since = now;
    if (gap > SLEEP_MS && gap > LONGEST * this.longest && this.longest > 0) {
      this.asleep = true;
      this.slept(gap / 1000);
      return;
    }
    this.longest = Math.max(this.longest, gap);
    this.total.seconds += gap / 1000;
  }
}
