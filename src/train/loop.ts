/**
 * The training loop: evaluate, sample, save, step. It depends neither on the objective nor on who
 * receives its reports.
 */
import type { FinishReason, MetricRow } from '../common/index.ts';
import { Autosave } from './autosave.ts';
import { Clock } from './clock.ts';
import { breathe, type Control } from './control.ts';
import { judgeStep, lossHealth, type LossHistory } from './health.ts';
import { LossExploded } from './loss_exploded.ts';
import { countEvaluation, isLostScore, isStale, limitReached } from './stopping.ts';
import type { MetricBuffer } from './metrics.ts';
import { rowOf, speedOf } from './step_rows.ts';
import type { StepResult, Trainer } from './trainer.ts';

export type LoopPhase = 'training' | 'evaluating' | 'sampling' | 'saving' | 'paused';

export interface LoopHooks {
  phase(phase: LoopPhase): void;
  metrics(buffer: MetricBuffer): void;
  /** Writes samples; resolves to the metrics that they give, if any. */
  sample(): Promise<Partial<MetricRow>>;
  /** The weights were just evaluated with the best score so far. */
  best?(score: number): Promise<void>;
  /** Saves, and sets `LoopState.saved_step` if that succeeds. A failure is reported, not thrown. */
  save(): Promise<void>;
  /** The computer slept between two steps for about this long, which is not training time. */
  slept(seconds: number): void;
  /** Metrics that the trainer cannot measure: memory. */
  measure(): Partial<MetricRow>;
}

/** Milliseconds between two flushes of metrics. */
const FLUSH_MS = 100;

/** What the loop needs of a Trainer. */
export type LoopTrainer = Pick<
  Trainer,
  | 'config'
  | 'model'
  | 'objective'
  | 'step'
  | 'tokens'
  | 'skipped_steps'
  | 'tokensPerStep'
  | 'learningRateAt'
  | 'takeStep'
  | 'follow'
  | 'drain'
  | 'evaluate'
>;

export interface LoopState extends LossHistory {
  trainer: LoopTrainer;
  control: Control;
  hooks: LoopHooks;
  buffer: MetricBuffer;
  /** Seconds of training so far. */
  seconds: number;
  /** Best score of an evaluation so far (`Objective.score`). */
  best_val_loss: number | null;
  /**
   * Step of the last save that succeeded, whoever asked for it; at first, the step that the loop
   * begins with.
   */
  saved_step?: number | undefined;
  /** Evaluations since the last one that counted as better, for early stopping. */
  stale_evaluations?: number;
  /** The step of the newest samples, if any. */
  sampled_step?: number;
}

/**
 * Runs until a limit is reached or the user stops it.
 *
 * @throws LossExploded, and whatever the device throws
 */
export function trainLoop(state: LoopState): Promise<FinishReason> {
  return new Loop(state).run();
}

class Loop {
  readonly #state: LoopState;
  readonly #clock: Clock;
  /** The step that the loop began with. */
  readonly #firstStep: number;
  readonly #autosaving: Autosave;
  /** Steps of the latest evaluation and samples. */
  #evaluated = -1;
  #sampled: number;

  constructor(state: LoopState) {
    this.#state = state;
    this.#clock = new Clock(state, (seconds) => state.hooks.slept(seconds));
    this.#firstStep = state.trainer.step;
    // The first loss is shown before the first samples, whose programs still have to be compiled;
    // a stage shows first what its parent answers.
    const lossFirst = this.#firstStep === 0 && state.trainer.objective.data === 'text';
    this.#sampled = lossFirst ? 0 : (state.sampled_step ?? -1);
    if (isStale(state)) state.stale_evaluations = 0;
    this.#autosaving = new Autosave(this.#firstStep);
    state.saved_step ??= this.#firstStep;
    state.first_loss = undefined;
    state.last_loss = undefined;
  }

  async run(): Promise<FinishReason> {
    const { trainer, control } = this.#state;
    for (;;) {
      const limit = limitReached(trainer, this.#state.seconds);
      if (this.#evaluationDue(limit !== null)) await this.#evaluate();
      const reason = limit ?? (isStale(this.#state) ? 'early_stopping' : null);
      const ending = reason !== null;
      if (this.#samplesDue(ending)) await this.#sample();
      if (this.#autosaving.isDue(trainer, this.#savedStep)) await this.#autosave();
      if (reason) {
        await this.#saveIfBehind();
        return reason;
      }
      // What a job saves or shows must be as far as the weights are.
      if (control.hasJob) await this.#collect();
      const mayStep = await control.gate(
        () => this.#pause(),
        () => this.#hold(),
      );
      if (!mayStep) {
        await this.#collect();
        await this.#saveIfBehind();
        return 'stopped';
      }
      await this.#step();
    }
  }

  async #step(): Promise<void> {
    const { trainer, control, hooks } = this.#state;
    const first = trainer.step === this.#firstStep;
    this.#clock.exclude(control.takeJobMs());
    if (this.#clock.resume()) hooks.phase('training');
    const taken = trainer.takeStep();
    if (taken) await taken;
    this.#clock.stepped();
    if (first) await this.#collect();
    else await this.#follow();
  }

  #evaluationDue(ending: boolean): boolean {
    const { step, config } = this.#state.trainer;
    if (this.#evaluated === step) return false;
    return ending || step % config.training.eval_interval === 0;
  }

  #samplesDue(ending: boolean): boolean {
    const { step, config } = this.#state.trainer;
    const { sample_interval } = config.sampling;
    if (sample_interval <= 0 || this.#sampled === step) return false;
    const firstLossShown = step === 1 && this.#firstStep === 0;
    return ending || firstLossShown || step % sample_interval === 0;
  }

  /** Saves, unless the run is diverging: that would overwrite a good checkpoint. */
  async #autosave(): Promise<void> {
    await this.#collect();
    if (lossHealth(this.#state.trainer, this.#state) === 'fine') await this.#save();
    else this.#autosaving.skipped(this.#state.trainer.step);
  }

  /** Step of the last save that succeeded. */
  get #savedStep(): number {
    return this.#state.saved_step ?? this.#firstStep;
  }

  async #saveIfBehind(): Promise<void> {
    if (this.#state.trainer.step > this.#savedStep) await this.#save();
  }

  async #pause(): Promise<void> {
    await this.#collect();
    await this.#saveIfBehind();
    this.#state.hooks.phase('paused');
    this.#clock.pause();
  }

  /** Waiting for others is not training time. */
  async #hold(): Promise<void> {
    await this.#collect();
    this.#clock.pause();
  }

  async #evaluate(): Promise<void> {
    const state = this.#state;
    const { trainer } = state;
    this.#evaluated = trainer.step;
    await this.#during('evaluating', async () => {
      const { metrics, score } = await trainer.evaluate(breathe);
      if (isLostScore(state, score)) throw new LossExploded(trainer.step, score ?? NaN);
      const { step, tokens } = trainer;
      state.buffer.add({ step, tokens, seconds: state.seconds, ...metrics });
      state.hooks.metrics(state.buffer);
      if (score === null) return;
      const isBest = countEvaluation(state, score, trainer.step > this.#firstStep);
      if (isBest) await state.hooks.best?.(score);
    });
  }

  async #sample(): Promise<void> {
    const { trainer, hooks, buffer } = this.#state;
    this.#sampled = trainer.step;
    this.#state.sampled_step = trainer.step;
    await this.#during('sampling', async () => {
      const metrics = await hooks.sample();
      if (Object.keys(metrics).length > 0) buffer.add({ step: trainer.step, ...metrics });
    });
  }

  async #save(): Promise<void> {
    const { trainer, hooks } = this.#state;
    await this.#during('saving', () => this.#autosaving.during(trainer.step, () => hooks.save()));
  }

  /** Something other than training, with all steps so far reported and the clock stopped. */
  async #during(phase: LoopPhase, action: () => Promise<void>): Promise<void> {
    await this.#collect();
    this.#state.hooks.phase(phase);
    this.#clock.pause();
    await action();
    this.#clock.resume();
    this.#state.hooks.phase('training');
  }

  /** Waits for all steps so far, reports them, and lets the worker answer. */
  async #collect(): Promise<void> {
    this.#record(await this.#state.trainer.drain());
    this.#flush();
    await breathe();
  }

  /** Reports what has arrived while later steps are in flight, at most every FLUSH_MS. */
  async #follow(): Promise<void> {
    const clock = this.#clock;
    const results = await this.#state.trainer.follow(clock.flushDue(FLUSH_MS));
    this.#record(results);
    if (results.length > 0 && clock.flushDue(FLUSH_MS)) this.#flush();
    if (results.length > 0 || clock.yieldDue()) await breathe();
  }

  #flush(): void {
    const { buffer, hooks } = this.#state;
    if (buffer.size > 0) hooks.metrics(buffer);
    this.#clock.flushed();
  }

  #record(results: readonly StepResult[]): void {
    const last = results.at(-1);
    if (!last) return;
    const state = this.#state;
    const { slept } = this.#clock.recorded();
    for (const result of results) {
      state.buffer.add(rowOf(state.trainer, state.seconds, result));
      if (!slept && result.ms > 0) state.buffer.add(speedOf(state.trainer, result));
    }
    state.buffer.add({ step: last.step, ...state.hooks.measure() });
    for (const result of results) judgeStep(state.trainer, state, result);
  }
}
