/** Tunes kernels for later runs while a run is paused and no command arrives. */
import type { ActiveRun } from './active_run.ts';
import type { SessionServices } from './services.ts';

/** Milliseconds without a command before kernels are tuned. */
const TUNE_AFTER_MS = 2000;

export class IdleTuner {
  readonly #tune: SessionServices['tuneInPause'];
  /** When the current pause began; Infinity once a command arrives. */
  #restSince = Infinity;

  constructor(tune: SessionServices['tuneInPause']) {
    this.#tune = tune;
  }

  /** A command arrived: cancels a pending or running tuning. */
  interrupt(): void {
    this.#restSince = Infinity;
  }

  /** The run is paused: schedules a tuning. `run` then returns the run, or null if it has ended. */
  rest(run: () => ActiveRun | null, adapter: string): void {
    const since = performance.now();
    this.#restSince = since;
    const isInterrupted = (): boolean => this.#restSince !== since;
    setTimeout(() => {
      const resting = run();
      if (resting?.control.state !== 'pause' || isInterrupted()) return;
      resting.control.between(() =>
        this.#tune(adapter, isInterrupted).catch((error: unknown) =>
          console.error('Kernels could not be tuned:', error),
        ),
      );
    }, TUNE_AFTER_MS);
  }
}
