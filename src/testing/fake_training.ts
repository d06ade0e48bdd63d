/** The run of the scripted worker: steps on a timer, samples, checkpoints, and one failure. */
import type { MetricColumns, Parent } from '../common/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import { fakeColumns, skillAt } from './fake_curves.ts';
import { DATA } from './fake_data.ts';
import { type Failure, FAILURES, type Scenario } from './fake_failures.ts';
import type { FakeOutbox } from './fake_outbox.ts';
import { STAGE_CHARTS, STAGE_METRICS, stageColumns, stageSamples } from './fake_stage_run.ts';
import { fakePieces, seeded } from './fake_text.ts';

export interface FakeOptions {
  scenario: Scenario;
  /** 1 is about the pace of a real run. */
  speed: number;
  seed?: number;
}

const CHECKPOINT_BYTES = 1_310_000;
export const CHECKPOINT_STEP = 200;
/** The validation loss of the scripted run turns up after this step. */
const LAST_BEST_STEP = 250;

export type Steering = 'train' | 'pause' | 'step' | 'stop' | 'cancel';

export class FakeTraining {
  config: RunConfig = defaultConfig();
  run = '';
  lrMultiplier = 1;
  parent: Parent | null = null;
  stage: StageConfig | null = null;
  readonly random: () => number;
  readonly #outbox: FakeOutbox;
  readonly #scenario: Scenario;
  readonly #speed: number;
  readonly #onFinished: () => void;
  #step = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Set after the scenario's failure, which happens once. */
  #failed = false;

  constructor(outbox: FakeOutbox, options: FakeOptions, onFinished: () => void) {
    this.#outbox = outbox;
    this.#scenario = options.scenario;
    this.#speed = options.speed;
    this.#onFinished = onFinished;
    this.random = seeded(options.seed ?? 7);
  }

  get step(): number {
    return this.#step;
  }

  columns(from: number, to: number): MetricColumns {
    const columns = fakeColumns(this.config, from, to, this.random);
    const scaled = (columns.lr ?? columns.step).map((lr) => this.lrMultiplier * lr);
    const own = this.stage ? stageColumns(columns, this.config.training.max_iters) : columns;
    return { ...own, lr: scaled };
  }

  begin(from: number, name: string, paused: boolean): void {
    this.#outbox.phase('preparing', 'Reading the text', 0.2);
    this.#outbox.afterScaled(250, () => {
      this.#outbox.emit({ type: 'data', data: DATA });
      this.#outbox.phase('preparing', 'Counting the bigrams', 0.8);
    });
    this.#outbox.afterScaled(500, () =>
      this.#outbox.phase('compiling', 'Compiling 31 programs for your GPU', 0.4),
    );
    this.#outbox.afterScaled(900, () => {
      this.#step = from;
      this.#outbox.emit({
        type: 'started',
        run: this.run,
        name,
        config: this.config,
        step: from,
        saved_step: from > 0 ? from : null,
        n_params: 104_512,
        planned_bytes: 26_400_000,
        precision: {
          mixed_precision: this.config.training.mixed_precision,
          subgroup_matrices: false,
          reason: null,
        },
        lr_multiplier: this.lrMultiplier,
        lineage: {
          objective: this.stage?.objective ?? 'pretrain',
          parent: this.parent,
          dataset: DATA.name,
        },
        stage: this.stage,
        metrics: this.stage ? STAGE_METRICS : [],
        charts: this.stage ? STAGE_CHARTS : [],
        history: from > 0 ? this.columns(0, from) : null,
      });
      const interval = this.config.sampling.sample_interval || 50;
      for (let step = 0; step < from; step += interval) this.#sample(step);
      if (this.stage && from === 0) this.#sample(0);
      if (paused) this.#outbox.phase('paused');
      else this.#train();
    });
  }

  steer(command: Steering): void {
    if (command === 'train') return this.#train();
    this.halt();
    switch (command) {
      case 'pause':
        return this.#outbox.phase('paused');
      case 'step':
        this.#advance(Math.min(this.#step + 1, this.config.training.max_iters));
        return this.#outbox.phase('paused');
      case 'stop':
        this.save();
        return this.#outbox.emit({ type: 'finished', step: this.#step, reason: 'stopped' });
      case 'cancel':
        return this.#outbox.phase('idle');
      default:
        command satisfies never;
    }
  }

  #train(): void {
    this.#outbox.phase('training');
    this.halt();
    const steps = Math.max(1, Math.round(6 * this.#speed));
    this.#timer = setInterval(
      () => this.#advance(Math.min(this.config.training.max_iters, this.#step + steps)),
      100,
    );
  }

  #advance(next: number): void {
    const { sampling, training } = this.config;
    this.#outbox.emit({ type: 'metrics', columns: this.columns(this.#step, next) });
    const every = sampling.sample_interval;
    if (every > 0 && Math.floor(next / every) > Math.floor(this.#step / every))
      this.#sample(next - (next % every));
    this.#step = next;
    if (next > 0 && next % 200 < 6 * this.#speed) this.save();
    const failure = FAILURES[this.#scenario];
    if (failure && !this.#failed && next >= failure.atStep) {
      this.#failed = true;
      this.#fail(failure);
    } else if (next >= training.max_iters) {
      this.halt();
      this.#outbox.emit({ type: 'finished', step: next, reason: 'max_iters' });
      this.#onFinished();
    }
  }

  #fail(failure: Failure): void {
    this.halt();
    if (failure.dies) {
      this.#outbox.onDeath('a scripted death');
      return;
    }
    if (failure.recovers) {
      this.#recover();
      return;
    }
    if (failure.error) this.#outbox.emit({ type: 'error', error: failure.error });
    this.#outbox.phase('failed');
  }

  #recover(): void {
    const detail =
      'The GPU was lost (the driver was reset); ' +
      `resuming from the checkpoint of step ${CHECKPOINT_STEP}`;
    this.#outbox.phase('recovering', detail, 0.5);
    this.#outbox.afterScaled(4000, () => {
      const message = `The GPU was lost and is back: training resumed at step ${CHECKPOINT_STEP}.`;
      this.#outbox.emit({ type: 'notice', message });
      this.#step = CHECKPOINT_STEP;
      this.#train();
    });
  }

  /** Says that a checkpoint was saved: by itself, or for the command with this id. */
  save(id?: number): void {
    const step = this.#step;
    if (step > 0 && step <= LAST_BEST_STEP)
      this.#outbox.emit({ type: 'best', best: { step, score: 2.03 } });
    this.#outbox.emit({
      type: 'saved',
      id,
      run: this.run,
      step: this.#step,
      bytes: CHECKPOINT_BYTES,
    });
  }

  #sample(step: number): void {
    if (this.stage) {
      for (const sample of stageSamples(step, step / this.config.training.max_iters))
        this.#outbox.emit({ type: 'sample', sample });
      return;
    }
    const { prompts, max_new_tokens } = this.config.sampling;
    for (const prompt of prompts) {
      const tokens = fakePieces(this.random, skillAt(this.config, step), max_new_tokens);
      const memorized = this.random() < 0.12;
      this.#outbox.emit({ type: 'sample', sample: { step, prompt, tokens, memorized } });
    }
  }

  halt(): void {
    clearInterval(this.#timer);
  }
}
