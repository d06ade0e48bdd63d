/** When a run is saved by itself. */
import type { RunConfig } from '../config/index.ts';

/** A run shorter than this many intervals is saved this many times. */
const SAVES_OF_SHORT_RUN = 5;

/** Milliseconds after which a run is saved whatever its steps. */
const LONGEST_UNSAVED_MS = 60_000;

/** Saves that the interval does not ask for take at most one part in this many of the time. */
const SHARE_OF_TIME = 20;

/** What is known since the latest save, or since the latest attempt at one if that failed. */
export interface SinceSave {
  steps: number;
  milliseconds: number;
  /** Milliseconds that the save took; 0 if this session has not saved yet. */
  save_milliseconds: number;
}

/**
 * Whether to save now: after `autosave_interval` steps; in a run of fewer than five intervals also
 * after each fifth of its steps; and a minute after the last save. The last two wait until 20 times
 * as long as the last save took, so that saving never takes more than a twentieth of a run.
 */
export function isAutosaveDue({ runtime, training }: RunConfig, since: SinceSave): boolean {
  const { autosave_interval } = runtime;
  const { steps, milliseconds, save_milliseconds } = since;
  if (autosave_interval <= 0 || steps <= 0) return false;
  if (steps >= autosave_interval) return true;
  if (milliseconds < SHARE_OF_TIME * save_milliseconds) return false;
  const fifth = Math.ceil(training.max_iters / SAVES_OF_SHORT_RUN);
  return steps >= fifth || milliseconds >= LONGEST_UNSAVED_MS;
}

/** Keeps step, time and duration of the latest save, or of the latest attempt. */
export class Autosave {
  #step: number;
  #at: number;
  #tookMs = 0;
  readonly #now: () => number;

  constructor(step: number, now: () => number = () => performance.now()) {
    this.#step = step;
    this.#now = now;
    this.#at = now();
  }

  /** `saved_step` is the step of the last save that succeeded, whoever asked for it. */
  isDue({ config, step }: { config: RunConfig; step: number }, saved_step: number): boolean {
    return isAutosaveDue(config, {
      steps: step - Math.max(this.#step, saved_step),
      milliseconds: this.#now() - this.#at,
      save_milliseconds: this.#tookMs,
    });
  }

  /** Called instead of a save where the weights are not worth saving. */
  skipped(step: number): void {
    this.#step = step;
    this.#at = this.#now();
  }

  /** Saves, whether or not that succeeds, and notes how long it took. */
  async during<T>(step: number, save: () => Promise<T>): Promise<T> {
    const begin = this.#now();
    const outcome = await save();
    this.#step = step;
    this.#at = this.#now();
    this.#tookMs = this.#at - begin;
    return outcome;
  }
}
