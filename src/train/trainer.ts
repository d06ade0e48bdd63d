/**
 * One model in training: stores, programs and optimizer, one step at a time. `loop.ts` decides
 * when; this file knows how. On WebGPU a step is one submit (micro-step and update together when
 * nothing is accumulated) and its results come back late through a ring (`in_flight.ts`); the next
 * step's batch is made while the device works.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  gpuMemory,
  maxBindingSize,
  onWebGpu,
  type Program,
  readback,
  Ring,
  Store,
  submit,
  type Values,
} from '../backend/index.ts';
import type { LossScaleState } from '../common/index.ts';
import { logitsChunk, resolveModel, type ResolvedModel, type RunConfig } from '../config/index.ts';
import { evalBatches, targetSize, type TokenSplit, trainBatch } from '../data/index.ts';
import {
  evaluation,
  type Generator,
  Gradients,
  initialValues,
  listParameters,
  type ModelStores,
  parameterSize,
  type PreparedInputs,
  prepareInputs,
  rotaryTable,
  trainingInputs,
  trainingMicroStep,
  writeBatch,
  writeInputs,
} from '../model/index.ts';
import {
  createLossScale,
  createOptimizer,
  learningRate,
  type LossScale,
  type Optimizer,
  readLossScale,
} from '../optim/index.ts';
import { IN_FLIGHT, StepsInFlight, type TimedEntry } from './in_flight.ts';
import { type Precision, settlePrecision } from './precision.ts';

/** What a checkpoint keeps of a trainer; the rest is made again. */
export interface TrainerState {
  parameters: ReadonlyMap<string, Float32Array>;
  optimizer: ReadonlyMap<string, Float32Array>;
  step: number;
  tokens: number;
  /** Of mixed precision; none where the run has never had any. */
  loss_scale?: LossScaleState | null;
}

/**
 * `skipped`: something overflowed in half precision, and the weights were left as they were (mixed
 * precision alone). `ms`: what the device took for it, or on average for those that were read with
 * it.
 */
export interface StepResult {
  step: number;
  loss: number;
  accuracy: number;
  grad_norm: number;
  skipped: boolean;
  ms: number;
}
export interface EvalResult {
  loss: number;
  accuracy: number;
  bpb: number;
}

export class Trainer {
  step = 0;
  tokens = 0;
  /** Steps so far that an overflow made void. */
  skipped_steps = 0;
  /** Set by the person while the run goes on; null follows the schedule. */
  learning_rate: number | null = null;
  private generator: Generator | null = null;
  private readonly ring = new Ring(3, IN_FLIGHT);
  private readonly inFlight = new StepsInFlight(this.ring);
  /** Of the coming step's first micro-batch. */
  private prepared: { step: number; inputs: PreparedInputs } | null = null;
  private readonly rates = new Map<number, number>();

  private constructor(
    readonly config: RunConfig,
    readonly model: ResolvedModel,
    private readonly split: TokenSplit,
    private readonly stores: ModelStores,
    private readonly optimizer: Optimizer,
    private readonly scaling: LossScale | null,
    /**
     * A loss scale that this device does not use: kept for one that does, and its left-out updates
     * are still none of Adam's.
     */
    private readonly kept_scale: LossScaleState | null,
    private readonly microStep: Program,
    private readonly update: Program<{ results: Tensor }>,
    private readonly evaluate_: Program<{ sums: Tensor; token_loss: Tensor }>,
    /** What it computes in, which may not be what the configuration asks for. */
    readonly precision: Precision,
  ) {}

  /**
   * Makes the stores, loads or draws the weights and compiles the programs: all are traced one
   * after the other, then their kernels compile side by side. `compiling` is told 0, and 0.5 once
   * they are traced. Throws ShaderError, BindingTooLarge and DataError.
   */
  static async create(
    config: RunConfig,
    split: TokenSplit,
    vocab_size: number,
    from: TrainerState | null,
    compiling: (done: number) => void,
  ): Promise<Trainer> {
    const t = config.training;
    const precision = await settlePrecision(config);
    const model = resolveModel(config.model, vocab_size);
    const parameters = listParameters(model);
    const weights = new Store('weights', parameters);
    const gradients = new Gradients(new Store('gradients', parameters), weights);
    const scaling =
      precision.mixed_precision === 'fp16'
        ? createLossScale(
            t.batch_size * t.gradient_accumulation_steps * model.block_size,
            from?.loss_scale,
          )
        : null;
    const stores: ModelStores = {
      model,
      weights,
      gradients,
      inputs: trainingInputs(model, t.batch_size, model.block_size),
      rotary: rotaryTable(model),
      sums: new Store('sums', [{ name: 'sums', shape: [2] }]),
      batch_size: t.batch_size,
      block_size: model.block_size,
      activation_checkpointing: t.activation_checkpointing,
      loss_scale: scaling?.store ?? null,
      logits_chunk: logitsChunk(
        model,
        { ...t, mixed_precision: precision.mixed_precision },
        maxBindingSize(),
      ),
    };
    for (const p of parameters)
      weights.write(p.name, from?.parameters.get(p.name) ?? initialValues(p, t.seed));
    const optimizer = createOptimizer(t, parameters);
    for (const [name, values] of from?.optimizer ?? [])
      if (optimizer.state.names.includes(name)) optimizer.state.write(name, values);
    compiling(0);
    const tracing = [
      trainingMicroStep(stores),
      compileProgram('update', () =>
        optimizer.finishStep(weights, gradients.store, stores.sums, scaling),
      ),
      evaluation(stores),
    ] as const;
    compiling(0.5);
    const [microStep, update, evaluate] = await Promise.all(tracing);
    const trainer = new Trainer(
      config,
      model,
      split,
      stores,
      optimizer,
      scaling,
      scaling ? null : (from?.loss_scale ?? null),
      microStep,
      update,
      evaluate,
      precision,
    );
    trainer.step = from?.step ?? 0;
    trainer.tokens = from?.tokens ?? 0;
    return trainer;
  }

  get n_params(): number {
    return listParameters(this.model).reduce((n, p) => n + parameterSize(p), 0);
  }
  get tokensPerStep(): number {
    return (
      this.config.training.batch_size *
      this.config.training.gradient_accumulation_steps *
      this.model.block_size
    );
  }
  /** Dispatches of one optimizer step, or null where there are no programs. */
  get dispatchesPerStep(): number | null {
    const { dispatches: micro } = this.microStep;
    const { dispatches: update } = this.update;
    return micro === null || update === null
      ? null
      : micro * this.config.training.gradient_accumulation_steps + update;
  }
  /** What one micro-step and the update run: for profiles. */
  get programs(): readonly Program[] {
    return [this.microStep, this.update];
  }
  /** Learning rate of the coming step. */
  get currentLearningRate(): number {
    return this.learning_rate ?? learningRate(this.config.training, this.step);
  }
  /** Rate that a step (counted from 0) was taken with, while it is in flight. */
  learningRateAt(step: number): number {
    return this.rates.get(step) ?? this.currentLearningRate;
  }
  /** True when the results of earlier steps have to be taken before another one runs. */
  get mustDrain(): boolean {
    return this.inFlight.mustWait;
  }
  /** Milliseconds of a step, of those whose results were taken last; 0 before. */
  get step_ms(): number {
    return this.inFlight.step_ms;
  }
  set step_ms(ms: number) {
    this.inFlight.step_ms = ms;
  }

  /** Submits one optimizer step; its results come from `follow` or `drain`. */
  takeStep(): void {
    this.inFlight.begin();
    const { training: t } = this.config;
    const accumulation = t.gradient_accumulation_steps;
    const rate = this.currentLearningRate;
    this.optimizer.prepare(this.step - (this.kept_scale?.skipped_updates ?? 0), rate);
    this.rates.set(this.step, rate);
    this.rates.delete(this.step - 2 * IN_FLIGHT);
    for (let micro = 0; micro < accumulation; micro++) {
      const ready =
        micro === 0 && this.prepared?.step === this.step
          ? this.prepared.inputs
          : this.prepare(this.step, micro);
      writeInputs(this.stores.inputs, ready, t.seed, this.step);
      if (micro < accumulation - 1) submit([this.microStep]);
    }
    this.step++;
    this.tokens += this.tokensPerStep;
    // Where there are no programs outputs exist only after the run, so the ring takes them then.
    if (onWebGpu() && this.update.encode)
      submit([
        this.microStep,
        this.update,
        ...this.ring.push(this.step, this.update.outputs.results),
      ]);
    else {
      submit([this.microStep, this.update]);
      submit(this.ring.push(this.step, this.update.outputs.results));
    }
    this.prepared = { step: this.step, inputs: this.prepare(this.step, 0) };
  }

  private prepare(step: number, micro: number): PreparedInputs {
    const { training: t } = this.config;
    return prepareInputs(
      this.model,
      trainBatch({
        split: this.split,
        batch_size: t.batch_size,
        block_size: this.model.block_size,
        accumulation: t.gradient_accumulation_steps,
        seed: t.seed,
        step,
        micro,
      }),
    );
  }

  /**
   * Results that have arrived, of the steps taken: later ones go on meanwhile. Waits only where
   * `mustDrain`. `soon`: asks for all that were taken.
   */
  async follow(soon: boolean): Promise<StepResult[]> {
    return this.resultsOf(await this.inFlight.follow(soon));
  }

  /** Results of all steps whose results were not given yet; waits for the device. */
  async drain(): Promise<StepResult[]> {
    return this.resultsOf(await this.inFlight.all());
  }

  private resultsOf(taken: readonly TimedEntry[]): StepResult[] {
    return taken.map(({ step, values, ms }) => {
      const grad_norm = values[2] ?? NaN;
      const skipped = this.precision.mixed_precision === 'fp16' && !Number.isFinite(grad_norm);
      if (skipped) this.skipped_steps++;
      return { step, loss: values[0] ?? NaN, accuracy: values[1] ?? NaN, grad_norm, skipped, ms };
    });
  }

  /** Validation loss over the fixed windows of `evalBatches`. */
  async evaluate(breathe: () => Promise<void>): Promise<EvalResult> {
    const { training: t } = this.config;
    const batches = evalBatches({
      split: this.split,
      batch_size: t.batch_size,
      block_size: this.model.block_size,
      eval_iters: t.eval_iters,
    });
    let loss = 0;
    let accuracy = 0;
    for (const batch of batches) {
      writeBatch(this.stores.inputs, this.model, batch, t.seed, this.step);
      submit([this.evaluate_]);
      const [sums] = await readback([this.evaluate_.outputs.sums]);
      loss += sums?.[0] ?? NaN;
      accuracy += sums?.[1] ?? NaN;
      await breathe();
    }
    const { tokens, bytes } = targetSize(batches, this.split.bytes_per_token);
    return { loss, accuracy, bpb: (loss * tokens) / bytes / Math.LN2 };
  }

  /** The generator over the present weights; its programs are compiled at the first call. */
  async generation(): Promise<Generator> {
    const { Generator } = await import('../model/generate.ts');
    return (this.generator ??= await Generator.create(
      this.model,
      this.stores.weights,
      this.stores.rotary,
    ));
  }

  /** Weights, moments and loss scale as they are after all submitted steps. */
  async state(): Promise<TrainerState> {
    const floats = (all: Map<string, Values>): Map<string, Float32Array> =>
      new Map(
        [...all].map(([name, v]) => [name, v instanceof Float32Array ? v : Float32Array.from(v)]),
      );
    const loss_scale = this.scaling ? await readLossScale(this.scaling) : this.kept_scale;
    return {
      parameters: floats(await this.stores.weights.read()),
      optimizer: floats(await this.optimizer.state.read()),
      step: this.step,
      tokens: this.tokens,
      loss_scale,
    };
  }

  /**
   * GPU bytes that exist, and those of them that this run needs (the rest waits in tfjs's pool).
   */
  memory(): { allocated: number; live: number } {
    return gpuMemory();
  }

  dispose(): void {
    this.generator?.dispose();
    for (const p of [this.microStep, this.update, this.evaluate_]) p.dispose();
    this.ring.dispose();
    this.optimizer.dispose();
    const { weights, gradients, inputs, sums, rotary, loss_scale } = this.stores;
    for (const s of [
      weights,
      gradients.store,
      inputs,
      sums,
      ...(rotary ? [rotary] : []),
      ...(loss_scale ? [loss_scale] : []),
    ])
      s.dispose();
  }
}
