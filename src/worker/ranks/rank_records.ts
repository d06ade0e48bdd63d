/** The metrics of a run on ranks, as those of one rank are recorded. */
import type { MetricColumns, MetricRow, RolloutRecord } from '../../common/index.ts';
import type { RankTrainer } from '../../parallel/index.ts';
import { MetricBuffer, type StepResult } from '../../train/index.ts';
import { rowOf, speedOf } from '../../train/step_rows.ts';
import type { StartingPoint } from '../run_parts.ts';

type MeasuredTrainer = Pick<
  RankTrainer,
  'step' | 'objective' | 'skipped_steps' | 'learningRateAt' | 'tokensPerStep' | 'takeRollouts'
>;

/** As in training_state.json. */
export type RankProgress = Pick<StartingPoint, 'elapsed_seconds' | 'best_val_loss'>;

export class RankRecords {
  /** Seconds of training, those of the checkpoint that is continued included. */
  seconds: number;
  /** The best score of an evaluation (`Objective.score`, negated if it is a reward); null before. */
  best: number | null;
  /** Step of the last save that succeeded since the ranks were opened; null before. */
  saved_step: number | null = null;
  readonly #trainer: MeasuredTrainer;
  /** Rows that were taken from `#rows` and are not in storage yet. */
  #unsaved: MetricColumns[] = [];
  #rollouts: RolloutRecord[] = [];
  readonly #rows = new MetricBuffer();

  /** @param before progress of the checkpoint that is continued; null for a new run */
  constructor(trainer: MeasuredTrainer, before: RankProgress | null) {
    this.#trainer = trainer;
    this.seconds = before?.elapsed_seconds ?? 0;
    this.best = before?.best_val_loss ?? null;
  }

  /** The row of a step. */
  step(result: StepResult): MetricRow {
    this.seconds += result.ms / 1000;
    const row = rowOf(this.#trainer, this.seconds, result);
    this.#rows.add({ ...row, ...speedOf(this.#trainer, result) });
    this.#rollouts.push(...this.#trainer.takeRollouts());
    return row;
  }

  /** The row of an evaluation after the latest step. */
  evaluation(metrics: Partial<MetricRow>): MetricRow {
    const { step, objective } = this.#trainer;
    const row: MetricRow = { ...metrics, step };
    const value = metrics[objective.score];
    if (value !== undefined) {
      const score = objective.score_is_reward ? -value : value;
      this.best = Math.min(this.best ?? Infinity, score);
    }
    this.#rows.add(row);
    return row;
  }

  /** Gives `write` all rows that are not in storage; if it rejects, they stay for the next call. */
  async writeMetrics(write: (rows: readonly MetricColumns[]) => Promise<void>): Promise<void> {
    if (this.#rows.size > 0) this.#unsaved.push(this.#rows.flush());
    await write(this.#unsaved);
    this.#unsaved = [];
  }

  /** The same for the answers that were sampled. */
  async writeRollouts(write: (records: readonly RolloutRecord[]) => Promise<void>): Promise<void> {
    await write(this.#rollouts);
    this.#rollouts = [];
  }
}
