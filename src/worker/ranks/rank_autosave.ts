/** When a run on ranks is saved by itself: rank 0 decides, by the rule of a run on one rank. */
import type { RunConfig } from '../../config/index.ts';
import type { RankTrainer } from '../../parallel/index.ts';
import { Autosave } from '../../train/autosave.ts';

type WatchedTrainer = Pick<RankTrainer, 'step' | 'model' | 'objective'>;

export class RankAutosave {
  readonly #trainer: WatchedTrainer;
  readonly #config: RunConfig;
  readonly #autosave: Autosave;
  /** Step after which the ranks stop for a save; -1 if they do not. */
  #dueAt = -1;
  /** Training losses of the first and of the latest step since the ranks were opened. */
  #firstLoss: number | undefined;
  #lastLoss: number | undefined;

  /** @param clock milliseconds, for tests */
  constructor(trainer: WatchedTrainer, config: RunConfig, clock?: () => number) {
    this.#trainer = trainer;
    this.#config = config;
    this.#autosave = new Autosave(trainer.step, clock);
  }

  /** Whether the run is to be saved after the step that comes next. */
  get isDueAfterStep(): boolean {
    const step = this.#trainer.step + 1;
    const isDue = this.#autosave.isDue({ config: this.#config, step }, 0);
    if (isDue) this.#dueAt = step;
    return isDue;
  }

  stepped(loss: number): void {
    this.#firstLoss ??= loss;
    this.#lastLoss = loss;
  }

  /**
   * Whether to save now. A run that diverges is not saved, because that would overwrite a good
   * checkpoint; it is asked again as long after this step as after a save.
   */
  takeDue(): boolean {
    const { step } = this.#trainer;
    if (this.#dueAt !== step) return false;
    this.#dueAt = -1;
    if (this.#isFine()) return true;
    this.#autosave.skipped(step);
    return false;
  }

  /** Saves, whoever asked for it, and notes how long it took. */
  during<T>(save: () => Promise<T>): Promise<T> {
    return this.#autosave.during(this.#trainer.step, save);
  }

  #isFine(): boolean {
    const { objective, model } = this.#trainer;
    const loss = this.#lastLoss ?? 0;
    const first_loss = this.#firstLoss ?? 0;
    const { vocab_size } = model;
    const report = { loss, first_loss, previous_loss: loss, vocab_size };
    return objective.health(report) === 'fine';
  }
}
