/** When a run on ranks is saved by itself: rank 0 decides, by the rule of a run on one rank. */
import type { RunConfig } from '../../config/index.ts';
import type { RankTrainer } from '../../parallel/index.ts';
import { Autosave } from '../../train/autosave.ts';
import { lossHealth, type LossHistory } from '../../train/health.ts';

type WatchedTrainer = Pick<RankTrainer, 'step' | 'model' | 'objective'>;

export class RankAutosave {
  readonly #trainer: WatchedTrainer;
  readonly #config: RunConfig;
  readonly #history: LossHistory;
  readonly #autosave: Autosave;
  /** Step after which the ranks stop for a save; -1 if they do not. */
  #dueAt = -1;

  /**
   * @param history losses since the ranks were opened, to which the caller adds
   * @param clock milliseconds, for tests
   */
  constructor(
    trainer: WatchedTrainer,
    config: RunConfig,
    history: LossHistory,
    clock?: () => number,
  ) {
    this.#trainer = trainer;
    this.#config = config;
    this.#history = history;
    this.#autosave = new Autosave(trainer.step, clock);
  }

  /** Whether the run is to be saved after the step that comes next. */
  get isDueAfterStep(): boolean {
    const step = this.#trainer.step + 1;
    const isDue = this.#autosave.isDue({ config: this.#config, step }, 0);
    if (isDue) this.#dueAt = step;
    return isDue;
  }

  /**
   * Whether to save now. A run that diverges is not saved, because that would overwrite a good
   * checkpoint; it is asked again as long after this step as after a save.
   */
  takeDue(): boolean {
    const { step } = this.#trainer;
    if (this.#dueAt !== step) return false;
    this.#dueAt = -1;
    if (lossHealth(this.#trainer, this.#history) === 'fine') return true;
    this.#autosave.skipped(step);
    return false;
  }

  /** Saves, whoever asked for it, and notes how long it took. */
  during<T>(save: () => Promise<T>): Promise<T> {
    return this.#autosave.during(this.#trainer.step, save);
  }
}
