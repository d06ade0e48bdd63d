/** The run that this worker holds, if any: started, trained to its end, recovered, ended. */
import { CheckpointError } from '../checkpoint/index.ts';
import type { ReleasedRun } from '../protocol/index.ts';
import type { Wish } from '../train/index.ts';
import { ActiveRun } from './active_run.ts';
import type { Beginning } from './beginning.ts';
import { DeviceLost, RunNotSaved } from './plain_errors.ts';
import { createRun, recoverRun, type LostRun, type RecoveryContext } from './recover.ts';
import type { RunParts } from './run_parts.ts';

export interface RunListener {
  /** The run reached a limit, or was stopped; it stays, to generate from and to train on. */
  finished(run: ActiveRun): void;
  /** The run failed and has ended. `saved`: storage has a checkpoint of it. */
  failed(error: unknown, saved: boolean): void;
}

interface Recovered {
  run: ActiveRun;
  parts: RunParts;
}

/** A lost device is being opened again. */
interface Recovery {
  cancelled: boolean;
  lost: ActiveRun;
}

export class CurrentRun {
  #run: ActiveRun | null = null;
  #recovery: Recovery | null = null;
  /** Resolves when the last loss of a device has been dealt with. */
  #recovered: Promise<void> = Promise.resolve();
  #setRecovered: () => void = () => undefined;
  #looping: Promise<void> = Promise.resolve();
  /** The latest wish since a run was requested or its device was lost, for when the run is ready. */
  #wish: Wish | null = null;
  readonly #context: RecoveryContext;
  readonly #listener: RunListener;

  constructor(context: RecoveryContext, listener: RunListener) {
    this.#context = context;
    this.#listener = listener;
  }

  get active(): ActiveRun | null {
    return this.#run;
  }

  /** What was imported exists nowhere else in this browser: it is saved before the first step. */
  keepImported(): void {
    const run = this.active;
    run?.keep().catch((error: unknown) => {
      // A run that ended meanwhile has reported why.
      if (this.active === run) this.#listener.failed(error, false);
    });
  }

  /** Resolves once the run can be used again, if its device is being recovered, or has failed. */
  ready(): Promise<void> {
    return this.#recovered;
  }

  /** A run was requested: wishes from now on are for that run, as soon as it is ready. */
  expect(): void {
    this.#wish = null;
  }

  /** Steers the run, or the one that is being compiled or recovered, as soon as it is ready. */
  steer(wish: Wish): void {
    this.#wish = wish;
    this.#run?.control.set(wish);
  }

  /**
   * Creates the run, notifies the page and starts its loop without waiting for it. If the device is
   * lost meanwhile, it is opened again once.
   */
  async launch(beginning: Beginning): Promise<void> {
    const { storage } = beginning.parts;
    try {
      const { run, parts, mayRecover } = await this.#create(beginning);
      this.#begin(run, parts, mayRecover);
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  async #create({ parts, start }: Beginning) {
    try {
      const history = start.from ? await parts.storage.readMetrics() : null;
      const run = await createRun(this.#context, parts, start);
      run.announce(history);
      return { run, parts, mayRecover: true };
    } catch (error) {
      const reason = await this.#context.device.lossBehind(error);
      if (reason === null) throw error;
      const { from, paused, restored } = start;
      const multiplier = (): number | undefined => from?.state.lr_multiplier;
      const lost = { parts, reason, origin: from, paused, restored, multiplier };
      return { ...(await recoverRun(this.#context, lost)), mayRecover: false };
    }
  }

  #begin(run: ActiveRun, parts: RunParts, mayRecover: boolean): void {
    if (this.#wish) run.control.set(this.#wish);
    this.#run = run;
    this.#looping = this.#loop(run, parts, mayRecover);
  }

  /**
   * Saves the run, if any, and ends it. Resolves to what was kept, or null. Throws RunNotSaved if
   * storage refuses; the run then goes on.
   */
  async release(): Promise<ReleasedRun | null> {
    await this.ready();
    const run = this.#run;
    if (!run) return null;
    let step: number | null = null;
    try {
      step = await run.release();
    } catch (error) {
      if (error instanceof DeviceLost) return this.release();
      // A run that ended meanwhile has reported why.
      if (this.#run === run) throw notSaved(error);
    }
    await this.end();
    return step === null ? null : { run: run.id, name: run.name, step };
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

  /** Rejects what waits for the device, and wakes a paused run, whose loop waits for the user. */
  deviceLost(reason: string): void {
    if (!this.#run) return;
    this.#recovered = new Promise((resolve) => {
      this.#setRecovered = resolve;
    });
    this.#run.deviceLost(this.#context.device.lossError(reason));
  }

  /** Trains the run to its end, and recovers from a lost device if `mayRecover`. */
  async #loop(run: ActiveRun, parts: RunParts, mayRecover: boolean): Promise<void> {
    const began = run.trainer.step;
    try {
      await this.#train(run);
    } catch (error) {
      const reason = await this.#context.device.lossBehind(error);
      // A device that is lost twice is likely to be lost again, unless the run got further meanwhile.
      const goesOn = mayRecover || (run.savedStep ?? 0) > began;
      if (reason !== null && goesOn && this.#run === run) await this.#recover(run, parts, reason);
      else await this.#fail(run, reason === null ? error : this.#context.device.lossError(reason));
    } finally {
      this.#setRecovered();
    }
  }

  async #train(run: ActiveRun): Promise<void> {
    do {
      const reason = await this.#context.device.orLost(run.train());
      if (run.control.state === 'end') return;
      this.#context.emit({ type: 'finished', step: run.trainer.step, reason });
      this.#context.emit({ type: 'phase', phase: 'done', detail: '', progress: 1 });
      this.#listener.finished(run);
    } while (await this.#context.device.orLost(run.idle()));
  }

  async #recover(run: ActiveRun, parts: RunParts, reason: string): Promise<void> {
    const recovery = { cancelled: false, lost: run };
    this.#recovery = recovery;
    this.#run = null;
    this.#wish = null;
    const paused = run.control.state === 'pause';
    const multiplier = (): number => run.trainer.lr_multiplier;
    const lost = { parts, reason, origin: run.origin, paused, multiplier };
    run.end();
    run.abandon();
    const recovered = await this.#replace(recovery, lost);
    this.#setRecovered();
    if (recovered) await this.#loop(recovered.run, recovered.parts, false);
  }

  /** Resolves to the recovered run, or null if it cannot or need not go on. Never rejects. */
  async #replace(recovery: Recovery, lost: LostRun): Promise<Recovered | null> {
    let recovered: Recovered;
    try {
      recovered = await recoverRun(this.#context, lost);
    } catch (error) {
      await this.#fail(recovery.lost, error);
      return null;
    } finally {
      this.#recovery = null;
    }
    const { run } = recovered;
    if (recovery.cancelled) {
      await run.close();
      return null;
    }
    if (this.#wish) run.control.set(this.#wish);
    this.#run = run;
    return recovered;
  }

  async #fail(run: ActiveRun, error: unknown): Promise<void> {
    run.end();
    if (this.#run === run) this.#run = null;
    run.abandon();
    await run.closeStorage();
    this.#listener.failed(error, run.savedStep !== null);
  }
}

const notSaved = (error: unknown): unknown =>
  error instanceof CheckpointError ? new RunNotSaved(error) : error;
