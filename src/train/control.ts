/** What the person asks of a running loop: the loop looks here between steps. */

/** `stop` ends the training and keeps the model; `end` is final. */
export type Wish = 'run' | 'pause' | 'step' | 'stop' | 'end';

export class Control {
  private wish: Wish;
  private wake: (() => void) | null = null;
  private jobs: (() => Promise<void>)[] = [];
  private jobMs = 0;

  constructor(start: Wish = 'run') {
    this.wish = start;
  }

  set(wish: Wish): void {
    if (this.wish === 'end') return;
    this.wish = wish;
    this.wake?.();
  }

  get state(): Wish {
    return this.wish;
  }

  /** Runs a job between two steps (generate, save, evaluate), while paused too. */
  between(job: () => Promise<void>): void {
    this.jobs.push(job);
    this.wake?.();
  }

  /** Whether a job waits. */
  get hasJob(): boolean {
    return this.jobs.length > 0;
  }

  /** Milliseconds that jobs have taken since the last call: no training. */
  takeJobMs(): number {
    const ms = this.jobMs;
    this.jobMs = 0;
    return ms;
  }

  /**
   * Waits until the next step may run; does the jobs that wait. False means: stop. `paused` is
   * called at each pause.
   */
  async gate(paused: () => Promise<void>): Promise<boolean> {
    for (let told = false; ;) {
      for (let job = this.jobs.shift(); job; job = this.jobs.shift()) {
        const begin = Date.now();
        await job();
        this.jobMs += Date.now() - begin;
      }
      switch (this.wish) {
        case 'stop':
        case 'end':
          return false;
        case 'run':
          return true;
        case 'step':
          this.wish = 'pause';
          return true;
        case 'pause': {
          if (!told) {
            told = true;
            await paused();
            continue;
          }
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          this.wake = null;
          told = false;
          break;
        }
        default:
          this.wish satisfies never;
      }
    }
  }
}

/**
 * Lets the worker answer its messages: a task behind those that wait, and no timer, which a hidden
 * tab would slow down.
 */
export function breathe(): Promise<void> {
  const tasks = 'scheduler' in globalThis ? globalThis.scheduler : undefined;
  if (tasks) return tasks.postTask(() => undefined, { priority: 'background' });
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
