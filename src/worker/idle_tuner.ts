/** Tunes kernels for later runs while a run is at rest and the person asks for nothing. */
import type { ActiveRun } from './active_run.ts';
import type { SessionServices } from './services.ts';

/** Milliseconds of rest before kernels are tuned. */
const TUNE_AFTER_MS = 2000;

export class IdleTuner {
  readonly #tune: SessionServices['tuneInPause'];
  /** When the current rest began; Infinity from the next command on. */
  #restSince = Infinity;

  constructor(tune: SessionServices['tuneInPause']) {
    this.#tune = tune;
  }

  /** A command came: a tuning that waits or runs stops. */
  interrupt(): void {
    this.#restSince = Infinity;
  }

  /** The run comes to rest. `run` gives it when the time has come; null if it is gone. */
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
