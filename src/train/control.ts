/** What the user requests of a running loop, which checks it between two steps. */

/**
 * `run` and `pause` last; `step` takes one step and pauses. `stop` ends training and keeps the
 * model; `end` is final.
 */
export type Wish = 'run' | 'pause' | 'step' | 'stop' | 'end';

export class Control {
  #wish: Wish;
  /** Ends the wait of a paused loop. */
  #wake: (() => void) | null = null;
  readonly #jobs: (() => Promise<void>)[] = [];
  #jobMs = 0;
  /** How often `hold` was called. */
  holds = 0;
  /** Steps that may be taken before the loop is held. */
  #allowed = Infinity;
  /** Resolves the last `allow`. */
  #tellHeld: (() => void) | null = null;

  constructor(start: Wish = 'run') {
    this.#wish = start;
  }

  set(wish: Wish): void {
    if (this.#wish === 'end') return;
    this.#wish = wish;
    // Whoever waits for a round is told that no more steps come.
    if (this.#tellHeld && (wish === 'end' || wish === 'stop')) this.hold();
    this.#wake?.();
  }

  /**
   * Allows so many steps from now on; then no step is taken, whatever the wish, until the next call.
   * Resolves to the number that was taken when the loop is held, which `hold` may bring about before.
   */
  allow(steps: number): Promise<number> {
    this.hold();
    this.#allowed = steps;
    this.#wake?.();
    return new Promise((resolve) => {
      this.#tellHeld = () => resolve(steps - this.#allowed);
    });
  }

  /** Takes no more steps until `allow`. */
  hold(): void {
    this.holds++;
    this.#tell();
    this.#allowed = 0;
  }

  #tell(): void {
    this.#tellHeld?.();
    this.#tellHeld = null;
  }

  /** Steps are taken as the wish says. */
  unhold(): void {
    this.hold();
    this.#allowed = Infinity;
    this.#wake?.();
  }

  get state(): Wish {
    return this.#wish;
  }

  /** Runs a job (generate, save, evaluate) between two steps, also while paused. */
  between(job: () => Promise<void>): void {
    this.#jobs.push(job);
    this.#wake?.();
  }

  get hasJob(): boolean {
    return this.#jobs.length > 0;
  }

  /** Milliseconds that jobs have taken since the last call, to be excluded from training time. */
  takeJobMs(): number {
    const ms = this.#jobMs;
    this.#jobMs = 0;
    return ms;
  }

  /**
   * Runs the waiting jobs and waits until the next step may run; false means that training ends.
   * Calls `onPause` at each pause, and `onHold` when the steps that were allowed have been taken.
   */
  async gate(
    onPause: () => Promise<void>,
    onHold: () => Promise<void> = () => Promise.resolve(),
  ): Promise<boolean> {
    let pauseReported = false;
    let holdReported = false;
    for (;;) {
      // No await between the last check for jobs and the wait: a job that arrives then would be missed.
      while (this.hasJob) await this.#runJob();
      if (this.#tellHeld && this.#allowed === 0) {
        await onHold();
        holdReported = true;
        if (this.#allowed === 0) this.#tell();
        continue;
      }
      switch (this.#wish) {
        case 'stop':
        case 'end':
          return false;
        case 'run':
          if (this.#allowed > 0) {
            this.#allowed--;
            return true;
          }
          if (holdReported) await this.#change();
          else await onHold();
          holdReported = true;
          break;
        case 'step':
          this.#wish = 'pause';
          return true;
        case 'pause':
          // The wish may change, or a job may arrive, while the pause is reported.
          if (pauseReported) await this.#change();
          else await onPause();
          pauseReported = !pauseReported;
          break;
        default:
          this.#wish satisfies never;
      }
    }
  }

  async #runJob(): Promise<void> {
    const job = this.#jobs.shift();
    const begin = Date.now();
    await job?.();
    this.#jobMs += Date.now() - begin;
  }

  /** Resolves at the next wish or job. */
  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }
}

/**
 * Lets the worker answer its messages. A background task runs after those that wait, and is not
 * throttled in a hidden tab, as a timer is.
 */
export function breathe(): Promise<void> {
  const scheduler = 'scheduler' in globalThis ? globalThis.scheduler : undefined;
  if (scheduler) return scheduler.postTask(() => undefined, { priority: 'background' });
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
