/**
 * The checkpoint with the best evaluation of a run. At an evaluation that improves, its state is
 * copied into memory; the copy goes to storage with the next checkpoint, so that a long series of
 * improvements costs no writes of its own. A tab that closes in between loses nothing: the run
 * continues from that last checkpoint and evaluates the same weights again.
 */
import { CheckpointError, type CheckpointState, type OpenRun } from '../checkpoint/index.ts';
import type { BestCheckpoint } from '../common/index.ts';
import type { Event } from '../protocol/index.ts';
import type { RunTrainer } from './services.ts';

/** Larger states are kept without moments: weights, and eight more bytes a value. */
const MAX_WHOLE_BYTES = 192 * 2 ** 20;
const STATE_BYTES_PER_VALUE = 12;

/** A generator over weights that are not those being trained. */
export type BestGenerator = Awaited<ReturnType<RunTrainer['generationOf']>>;

export interface BestKeeperOptions {
  trainer: RunTrainer;
  storage: OpenRun;
  emit: (event: Event) => void;
  /** The best checkpoint in storage, if any. */
  stored: BestCheckpoint | null;
}

export class BestKeeper {
  readonly #trainer: RunTrainer;
  readonly #storage: OpenRun;
  readonly #emit: (event: Event) => void;
  #best: BestCheckpoint | null;
  /** The state of `#best` while storage does not have it. */
  #unsaved: CheckpointState | null = null;
  #refusalTold = false;
  #generator: BestGenerator | null = null;

  constructor({ trainer, storage, emit, stored }: BestKeeperOptions) {
    this.#trainer = trainer;
    this.#storage = storage;
    this.#emit = emit;
    this.#best = stored;
  }

  /** The best evaluation whose weights are kept, or null. */
  get best(): BestCheckpoint | null {
    return this.#best;
  }

  /** Small enough to keep the optimizer's moments too, so that training can go on from there. */
  get keepsMoments(): boolean {
    return this.#trainer.n_params * STATE_BYTES_PER_VALUE <= MAX_WHOLE_BYTES;
  }

  /** The weights were just evaluated with the best score so far; `state` is theirs. */
  note(score: number, state: CheckpointState): void {
    this.#best = { step: state.step, score };
    this.#unsaved = state;
    this.#dropGenerator();
    this.#emit({ type: 'best', best: this.#best });
  }

  /** Writes the best checkpoint, if storage has another one. If storage refuses, says so once. */
  async store(): Promise<void> {
    const state = this.#unsaved;
    if (!state || !this.#best) return;
    try {
      await this.#storage.saveBest(this.#best, state);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      this.#tellRefusal(state.step);
      return;
    }
    if (this.#unsaved === state) this.#unsaved = null;
    this.#refusalTold = false;
  }

  /** The best checkpoint. Throws `run_missing` if none is kept, and what reading it throws. */
  async state(): Promise<CheckpointState> {
    const state = this.#unsaved ?? (await this.#storage.loadBest());
    if (state) return state;
    throw new CheckpointError(
      'run_missing',
      'This run has no best checkpoint yet.',
      'Train until the next evaluation, or choose the last checkpoint.',
    );
  }

  /** Generates with the best weights, beside those that are being trained. */
  async generation(): Promise<BestGenerator> {
    const best = this.#best;
    if (this.#generator) return this.#generator;
    const state = await this.state();
    // Only stages have adapters.
    const { parameters } = state.stage ? (await import('./merged.ts')).mergedState(state) : state;
    const generator = await this.#trainer.generationOf(parameters);
    if (this.#best !== best) this.#dropGenerator();
    this.#generator = generator;
    return generator;
  }

  dispose(): void {
    this.#unsaved = null;
    this.#dropGenerator();
  }

  #dropGenerator(): void {
    this.#generator?.dispose();
    this.#generator = null;
  }

  #tellRefusal(step: number): void {
    if (this.#refusalTold) return;
    this.#refusalTold = true;
    const message =
      `Storage has no room for the best checkpoint (step ${step}) beside the last one. ` +
      'It is kept until you close this tab: delete old runs, or export it.';
    this.#emit({ type: 'notice', message });
  }
}

/** The best checkpoint in storage, unless it is later than the step that the run continues from. */
export async function bestBefore(storage: OpenRun, step: number): Promise<BestCheckpoint | null> {
  const best = await storage.best();
  return best && best.step <= step ? best : null;
}
