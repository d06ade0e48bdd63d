/**
 * Tells a busy worker from one that no longer answers, by pings that its port answers between two
 * steps.
 *
 * A single step on cpu or wasm may take many seconds, so silence is reported and the worker is not
 * ended. While a laptop sleeps the page does not listen, so time without ticks does not count.
 */
const TICK_MS = 5_000;
export const PATIENCE_MS = 30_000;

export class WorkerWatch {
  #timer: ReturnType<typeof setInterval> | null = null;
  #lastTick = 0;
  #lastHeard = 0;
  #id = 0;
  #silent = false;

  constructor(
    private readonly ping: (id: number) => void,
    private readonly say: (silent: boolean) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  start(): void {
    this.stop();
    this.#lastTick = this.now();
    this.#lastHeard = this.now();
    this.#timer = setInterval(() => this.tick(), TICK_MS);
  }
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#silent = false;
  }

  heard(): void {
    this.#lastHeard = this.now();
    if (this.#silent) {
      this.#silent = false;
      this.say(false);
    }
  }

  tick(): void {
    const now = this.now();
    const slept = now - this.#lastTick - TICK_MS;
    // Timers of a hidden tab may run only once a minute: their delay is not the worker's.
    if (slept > 0) this.#lastHeard += Math.min(slept, now - this.#lastHeard);
    this.#lastTick = now;
    if (!this.#silent && now - this.#lastHeard > PATIENCE_MS) {
      this.#silent = true;
      this.say(true);
    }
    this.#id += 1;
    this.ping(this.#id);
  }
}
