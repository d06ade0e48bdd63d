/**
 * One model in training: stores, programs and optimizer, one step at a time. `loop.ts` decides when
 * to step, `step.ts` submits a step, `evaluate.ts` evaluates; results come back late through a ring
 * (`in_flight.ts`). The trainer knows the objective by its interface only.
 */
import { type Program, Ring } from '../backend/index.ts';
import type { InspectedStep, MetricRow, RolloutRecord, Shard } from '../common/index.ts';
import type { ResolvedModel, RunConfig } from '../config/index.ts';
import { disposeStores, type Generator, type ModelStores, parameterSize } from '../model/index.ts';
import type { Objective } from '../objectives/index.ts';
import { learningRate } from '../optim/index.ts';
import { buildTrainer, type TrainerParts } from './build.ts';
import { evaluate, type Evaluation } from './evaluate.ts';
import { readFlat, writeFlat } from './flat.ts';
import { IN_FLIGHT, StepsInFlight, type TimedEntry } from './in_flight.ts';
import type { Precision } from '../run/index.ts';
import { ObjectiveScoring } from './scoring.ts';
import { type StepInput, StepInputs, submitStep } from './step.ts';
import type { TrainerOptions, TrainerState } from './state.ts';
import { namedSums } from './sums.ts';
import { readTensors, sourceState } from './tensors.ts';

export interface StepResult {
  /** Steps taken, this one included. */
  step: number;
  loss: number;
  /** Metrics of the objective by name. */
  metrics: Readonly<Partial<Record<string, number>>>;
  /** Norm of all gradients before clipping. */
  grad_norm: number;
  /** A float16 value overflowed, so the weights were left unchanged (mixed precision only). */
  skipped: boolean;
  /** Device time of the step, or the average over the steps that were read together. */
  ms: number;
  /** Tokens of all steps so far that were not padding, and of this one. */
  total_tokens?: number;
  step_tokens?: number;
}

interface TakenStep {
  metrics: Partial<MetricRow> | undefined;
  total_tokens: number;
  step_tokens: number;
}

export class Trainer {
  step = 0;
  tokens = 0;
  /** Steps of this session skipped because a float16 value overflowed. */
  skipped_steps = 0;
  /** Factor on the learning rate's schedule. */
  lr_multiplier = 1;

  /** Without the state that it starts from, whose arrays need not stay in memory. */
  readonly options: Readonly<TrainerOptions>;
  readonly #parts: TrainerParts;
  readonly #ring: Ring;
  readonly #inFlight: StepsInFlight;
  readonly #scoring: ObjectiveScoring;
  readonly #inputs: StepInputs;
  /** Learning rates of the steps in flight, by step. */
  readonly #rates = new Map<number, number>();
  /** Tokens of the steps in flight and metrics of their source, by the number of steps taken. */
  readonly #taken = new Map<number, TakenStep>();
  #generator: Generator | null = null;
  #stepsLeftOut = 0;

  private constructor(options: TrainerOptions, parts: TrainerParts) {
    this.options = { ...options, from: null };
    this.#parts = parts;
    this.#ring = new Ring(parts.objective.sums.length + 1, IN_FLIGHT);
    this.#inFlight = new StepsInFlight(this.#ring);
    this.#scoring = new ObjectiveScoring(parts, () => this.generation());
    const { split } = options;
    const { objective, model } = parts;
    const { setting } = parts;
    const source = objective.source({
      ...setting,
      split,
      programs: this.#scoring,
      restored: sourceState(options.from),
    });
    this.#inputs = new StepInputs(source, model);
    this.step = options.from?.step ?? 0;
    this.tokens = options.from?.tokens ?? 0;
    this.lr_multiplier = options.from?.lr_multiplier ?? 1;
  }

  /**
   * Allocates the stores, loads or draws the weights and compiles the programs: all are traced one
   * after the other, then their kernels compile side by side.
   *
   * @throws ShaderError, BindingTooLarge or DataError
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    return new Trainer(options, await buildTrainer(options));
  }

  get config(): RunConfig {
    return this.options.config;
  }
  get model(): ResolvedModel {
    return this.#parts.model;
  }
  get objective(): Objective {
    return this.#parts.objective;
  }
  /** What the run is computed in, which may differ from what the configuration asks for. */
  get precision(): Precision {
    return this.#parts.precision;
  }
  get stores(): ModelStores {
    return this.#parts.stores;
  }

  get n_params(): number {
    return this.stores.weights.parameters.reduce((sum, one) => sum + parameterSize(one), 0);
  }
  get tokensPerStep(): number {
    const { batch_size, block_size } = this.stores;
    return batch_size * block_size * this.config.training.gradient_accumulation_steps;
  }
  /** Dispatches of one optimizer step, or null where nothing is replayed. */
  get dispatchesPerStep(): number | null {
    const { microStep, update } = this.#parts.programs;
    if (microStep.dispatches === null || update.dispatches === null) return null;
    const { gradient_accumulation_steps } = this.config.training;
    return microStep.dispatches * gradient_accumulation_steps + update.dispatches;
  }
  /** Micro-step and update: what a profile measures. */
  get programs(): readonly Program[] {
    return [this.#parts.programs.microStep, this.#parts.programs.update];
  }

  /** Learning rate of the next step: the schedule times the multiplier. */
  get currentLearningRate(): number {
    return learningRate(this.config.training, this.step) * this.lr_multiplier;
  }
  /** Learning rate that a step in flight (counted from 0) was taken with. */
  learningRateAt(step: number): number {
    return this.#rates.get(step) ?? this.currentLearningRate;
  }

  /** Whether results of earlier steps must be taken before another step runs. */
  get mustDrain(): boolean {
    return this.#inFlight.mustWait;
  }
  /** Milliseconds of one of the latest steps; 0 before the first result. */
  get step_ms(): number {
    return this.#inFlight.step_ms;
  }
  set step_ms(ms: number) {
    this.#inFlight.step_ms = ms;
  }

  /**
   * Submits one optimizer step; its results come from `follow` or `drain`. Returns a promise only if
   * the objective's source does, or if a program has boundaries.
   */
  takeStep(): void | Promise<void> {
    const input = this.#inputs.take(this.step);
    if (input instanceof Promise) return input.then((ready) => this.#submit(ready));
    return this.#submit(input);
  }

  /**
   * Results that have arrived, while later steps run. Waits only if `mustDrain`; `soon` asks for
   * the results of all steps taken so far.
   */
  async follow(soon: boolean): Promise<StepResult[]> {
    return this.#resultsOf(await this.#inFlight.follow(soon));
  }
  /** Results of all steps that have not been reported yet; waits for the device. */
  async drain(): Promise<StepResult[]> {
    return this.#resultsOf(await this.#inFlight.all());
  }

  evaluate(breathe: () => Promise<void>): Promise<Evaluation> {
    const { programs, stores, objective } = this.#parts;
    const { split, config } = this.options;
    const random = { seed: config.training.seed, step: this.step };
    const { source } = this.#inputs;
    const program = programs.evaluation;
    return evaluate({ program, stores, objective, source, split, random }, breathe);
  }

  /** The generator over the current weights; its programs are compiled at the first call. */
  async generation(): Promise<Generator> {
    const { Generator } = await import('../model/generate.ts');
    const { model, weights, rotary } = this.stores;
    return (this.#generator ??= await Generator.create(model, weights, rotary));
  }

  /**
   * A generator over copies of other values of the model's parameters, by name. It has memory of its
   * own until it is disposed of.
   *
   * @throws RangeError if a parameter is missing
   */
  async generationOf(parameters: ReadonlyMap<string, Float32Array>) {
    const { generatorOf } = await import('./other_weights.ts');
    return generatorOf(this.stores, parameters);
  }

  /**
   * Weights, moments and loss scale as they are after all submitted steps; without `moments`, the
   * optimizer's are left out.
   */
  async state({ moments = true } = {}): Promise<TrainerState> {
    const tensors = await readTensors(this.#parts, this.#inputs.source, moments);
    const { step, tokens, lr_multiplier } = this;
    return { ...tensors, step, tokens, lr_multiplier };
  }

  /** Values of the parameters that train, in the order of their store. */
  readParameters(): Promise<Float32Array> {
    return readFlat(this.stores.weights.trainable);
  }
  /** Replaces them. Throws RangeError unless there are as many values. */
  writeParameters(values: Float32Array): void {
    writeFlat(this.stores.weights.trainable, values);
  }

  /** Goes on at a later step, with a part of the text. Adam's bias correction excludes steps left out. */
  moveTo(step: number, shard: Shard): void {
    this.#inputs.setShard(shard);
    this.#stepsLeftOut += Math.max(0, step - this.step);
    this.step = Math.max(step, this.step);
  }

  /** The latest batch, token by token; null if the objective does not say or no step was taken. */
  async inspect(): Promise<InspectedStep | null> {
    return (await this.#inputs.source.inspect?.()) ?? null;
  }

  /** A sentence for the user on what training meets, once; null if there is none. */
  takeNotice(): string | null {
    return this.#inputs.source.takeNotice?.() ?? null;
  }

  /** Answers that were sampled for training since the last call. */
  takeRollouts(): RolloutRecord[] {
    return this.#inputs.source.takeRollouts?.() ?? [];
  }

  dispose(): void {
    this.#generator?.dispose();
    this.#scoring.dispose();
    const { programs, optimizer, stores, referenceCopy } = this.#parts;
    programs.microStep.dispose();
    programs.update.dispose();
    programs.evaluation.dispose();
    programs.referenceLogps?.dispose();
    this.#ring.dispose();
    optimizer.dispose();
    disposeStores(stores);
    referenceCopy?.dispose();
  }

  #submit({ inputs, tokens }: StepInput): void | Promise<void> {
    const { programs, stores, optimizer, keptLossScale } = this.#parts;
    this.#inFlight.begin();
    const rate = this.currentLearningRate;
    const skipped = this.#stepsLeftOut + (keptLossScale?.skipped_updates ?? 0);
    optimizer.prepare(this.step - skipped, rate);
    this.#rates.set(this.step, rate);
    this.#rates.delete(this.step - 2 * IN_FLIGHT);
    const { seed } = this.config.training;
    const submission = { programs, stores, ring: this.#ring, seed, step: this.step };
    const submitted = submitStep(inputs, submission);
    if (submitted) return submitted.then(() => this.#stepSubmitted(tokens));
    this.#stepSubmitted(tokens);
  }

  #stepSubmitted(tokens: number): void {
    const metrics = this.#inputs.source.stepMetrics?.();
    this.step++;
    this.tokens += tokens;
    this.#taken.set(this.step, { metrics, total_tokens: this.tokens, step_tokens: tokens });
    this.#taken.delete(this.step - 2 * IN_FLIGHT);
    this.#inputs.prefetch(this.step);
  }

  #resultsOf(entries: readonly TimedEntry[]): StepResult[] {
    return entries.map((entry) => this.#resultOf(entry));
  }

  #resultOf({ step, values, ms }: TimedEntry): StepResult {
    const { objective, precision } = this.#parts;
    const sums = namedSums(objective, values);
    const grad_norm = values[objective.sums.length] ?? NaN;
    const skipped = precision.mixed_precision === 'fp16' && !Number.isFinite(grad_norm);
    if (skipped) this.skipped_steps++;
    const { metrics: ofSource, ...tokens } = this.#taken.get(step) ?? {};
    const metrics = { ...objective.stepMetrics(sums), ...ofSource };
    return { step, loss: sums.loss ?? NaN, metrics, grad_norm, skipped, ms, ...tokens };
  }
}
