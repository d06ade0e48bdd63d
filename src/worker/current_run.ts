/** The run that this worker holds, if any: started, trained to its end, recovered, ended. */
import { ActiveRun } from './active_run.ts';
import type { Beginning } from './begin.ts';
import { DeviceLost } from './plain_errors.ts';
import { recoverRun, type RecoveryContext } from './recover.ts';
import type { RunParts } from './run_parts.ts';

export interface RunListener {
  /** The run reached a limit, or was stopped; it stays, to generate from and to train on. */
  finished(run: ActiveRun): void;
  /** The run failed and has ended. `saved`: storage has a checkpoint of it. */
  failed(error: unknown, saved: boolean): void;
}

export class CurrentRun {
  #run: ActiveRun | null = null;
  /** Set while a lost device is being opened again. */
  #recovery: { cancelled: boolean; lost: ActiveRun } | null = null;
  #looping: Promise<void> = Promise.resolve();
  readonly #context: RecoveryContext;
  readonly #listener: RunListener;

  constructor(context: RecoveryContext, listener: RunListener) {
    this.#context = context;
    this.#listener = listener;
  }

  get active(): ActiveRun | null {
    return this.#run;
  }

  /** Creates the run, notifies the page and starts its loop without waiting for it. */
  async launch({ parts, start }: Beginning): Promise<void> {
    let run: ActiveRun;
    try {
      const history = start.from ? await parts.storage.readMetrics() : null;
      run = await ActiveRun.create(parts, start, this.#context);
      run.announce(history);
    } catch (error) {
      await parts.storage.close();
      throw error;
    }
    this.#run = run;
    this.#looping = this.#loop(run, parts, true);
  }

  /** Ends the run, if any, and waits until its storage is closed. */
  async end(): Promise<void> {
    if (this.#recovery) {
      this.#recovery.cancelled = true;
      await this.#looping;
    }
    const run = this.#run;
    if (!run) return;
    run.end();
    await this.#looping;
    if (this.#run !== run) return;
    this.#run = null;
    await run.close();
  }

  /** Scales the learning rate schedule of the run, or of the one that is being recovered. */
  setLrMultiplier(multiplier: number): void {
    (this.#recovery?.lost ?? this.#run)?.setLrMultiplier(multiplier);
  }

  /**
   * Wakes a paused run, whose loop waits for the user. A loop that waits for the device is woken
   * by its rejected promises.
   */
  deviceLost(reason: string): void {
    this.#run?.control.between(() => Promise.reject(new DeviceLost(reason)));
  }

  /** Trains the run to its end, and recovers from a lost device if `mayRecover`. */
  async #loop(run: ActiveRun, parts: RunParts, mayRecover: boolean): Promise<void> {
    try {
      await this.#train(run);
    } catch (error) {
      const lost = await this.#context.device.lossBehind(error);
      if (lost !== null && mayRecover && this.#run === run) await this.#recover(run, parts, lost);
      else await this.#fail(run, lost === null ? error : new DeviceLost(lost));
    }
  }

  async #train(run: ActiveRun): Promise<void> {
    do {
      const reason = await run.train();
      if (run.control.state === 'end') return;
      this.#context.emit({ type: 'finished', step: run.trainer.step, reason });
      this.#context.emit({ type: 'phase', phase: 'done', detail: '', progress: 1 });
      this.#listener.finished(run);
    } while (await run.idle());
  }

  async #recover(run: ActiveRun, parts: RunParts, reason: string): Promise<void> {
    const recovery = { cancelled: false, lost: run };
    this.#recovery = recovery;
    this.#run = null;
    let recovered: { run: ActiveRun; parts: RunParts };
    try {
      recovered = await recoverRun(this.#context, { run, parts, reason });
    } catch (error) {
      await this.#fail(run, error);
      return;
    } finally {
      this.#recovery = null;
    }
    if (recovery.cancelled) {
      await recovered.run.close();
      return;
    }
    this.#run = recovered.run;
    // A device that is lost twice is likely to be lost again.
    await this.#loop(recovered.run, recovered.parts, false);
  }

  async #fail(run: ActiveRun, error: unknown): Promise<void> {
    run.end();
    if (this.#run === run) this.#run = null;
    run.abandon();
    await run.closeStorage();
    this.#listener.failed(error, run.hasCheckpoint);
  }
}
