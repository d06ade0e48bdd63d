/** A trainer without a model, for tests of the session. */
import type { InspectedStep, RolloutRecord } from '../common/index.ts';
import { resolveModel, type ResolvedModel, type RunConfig } from '../config/index.ts';
import { listParameters, parameterSize } from '../model/index.ts';
import type { RowChoice } from '../model/index.ts';
import type { Objective } from '../objectives/index.ts';
import { describeOptimizer, momentsOf } from '../optim/index.ts';
import type { StepResult, TrainerOptions, TrainerState } from '../train/index.ts';
import type { RunTrainer } from './services.ts';

export class FakeTrainer implements RunTrainer {
  readonly config: RunConfig;
  readonly model: ResolvedModel;
  readonly objective: Objective;
  readonly precision = { mixed_precision: 'no', reason: null } as const;
  readonly programs = [];
  readonly tokensPerStep = 4;
  readonly n_params: number;
  step: number;
  tokens: number;
  skipped_steps = 0;
  step_ms = 1;
  lr_multiplier: number;
  disposed = false;
  /** Of the steps to come. */
  loss = 2;
  /** Validation losses by step; 2 elsewhere. */
  scores: Readonly<Record<number, number>> = {};
  /** Thrown by the next step. */
  failure: Error | null = null;
  /** Learning rate multipliers of the steps taken. */
  readonly multipliers: number[] = [];
  readonly #parameters: ReadonlyMap<string, Float32Array>;
  #results: StepResult[] = [];

  constructor(readonly options: TrainerOptions) {
    const { config, vocab_size, from } = options;
    this.config = config;
    this.objective = options.objective;
    this.model = resolveModel(config.model, vocab_size);
    const parameters = listParameters(this.model);
    this.n_params = parameters.reduce((sum, parameter) => sum + parameterSize(parameter), 0);
    this.#parameters = new Map(
      parameters.map((parameter) => [
        parameter.name,
        from?.parameters.get(parameter.name) ?? initialWeights(parameterSize(parameter)),
      ]),
    );
    this.step = from?.step ?? 0;
    this.tokens = from?.tokens ?? 0;
    this.lr_multiplier = from?.lr_multiplier ?? 1;
  }

  learningRateAt(): number {
    return this.lr_multiplier * 1e-3;
  }

  takeStep(): void {
    if (this.failure) throw this.failure;
    this.step += 1;
    this.tokens += this.tokensPerStep;
    this.multipliers.push(this.lr_multiplier);
    // Weights that say how many steps they are from the start.
    for (const values of this.#parameters.values()) values[0] = (values[0] ?? 0) + 1;
    const { loss } = this;
    const metrics = { 'train/loss': loss };
    this.#results.push({ step: this.step, loss, metrics, grad_norm: 1, skipped: false, ms: 1 });
  }

  /** One parameter: the first of the model. */
  async readParameters(): Promise<Float32Array> {
    const [first] = this.#parameters.values();
    return Float32Array.of(first?.[0] ?? 0);
  }
  writeParameters(values: Float32Array): void {
    for (const parameter of this.#parameters.values()) parameter[0] = values[0] ?? 0;
  }
  moveTo(step: number): void {
    this.step = Math.max(step, this.step);
  }

  async follow(): Promise<StepResult[]> {
    return this.drain();
  }

  async drain(): Promise<StepResult[]> {
    const results = this.#results;
    this.#results = [];
    return results;
  }

  async evaluate() {
    const score = this.scores[this.step] ?? 2;
    return { metrics: { 'val/loss': score }, score };
  }

  async generation() {
    return {
      async *generateRows(
        _prompts: readonly (readonly number[])[],
        { max_new_tokens }: { max_new_tokens: number },
      ): AsyncGenerator<RowChoice> {
        for (let i = 0; i < max_new_tokens; i++)
          yield { row: 0, choice: { id: 0, probability: 1, rivals: [] } };
      },
    };
  }

  /** Its tokens say how many steps the weights are from the start. */
  async generationOf(parameters: ReadonlyMap<string, Float32Array>) {
    const [id = 0] = [...parameters.values()].map((values) => values[0] ?? 0);
    return {
      async *generateRows(): AsyncGenerator<RowChoice> {
        yield { row: 0, choice: { id, probability: 1, rivals: [] } };
      },
      dispose: () => undefined,
    };
  }

  /** What `inspect` resolves to, and what `takeRollouts` returns next. */
  inspected: InspectedStep | null = null;
  rollouts: RolloutRecord[] = [];

  async inspect(): Promise<InspectedStep | null> {
    return this.inspected;
  }

  /** What `takeNotice` returns next. */
  notice: string | null = null;

  takeNotice(): string | null {
    const { notice } = this;
    this.notice = null;
    return notice;
  }

  takeRollouts(): RolloutRecord[] {
    return this.rollouts.splice(0);
  }

  async state(): Promise<TrainerState> {
    const { step, tokens, lr_multiplier } = this;
    const parameters = new Map(
      [...this.#parameters].map(([name, values]) => [name, values.slice()]),
    );
    return { parameters, optimizer: this.#moments(), step, tokens, lr_multiplier };
  }

  /** All moments of the optimizer, zero. */
  #moments(): Map<string, Float32Array> {
    const chain = describeOptimizer(this.config.training);
    return new Map(
      listParameters(this.model).flatMap((parameter) =>
        momentsOf(chain, parameter).map((moment): [string, Float32Array] => [
          `${moment}.${parameter.name}`,
          new Float32Array(parameterSize(parameter)),
        ]),
      ),
    );
  }

  dispose(): void {
    this.disposed = true;
  }
}

/** Zeros, of which the first counts the steps, and a last value that is never zero. */
function initialWeights(size: number): Float32Array {
  const values = new Float32Array(size);
  if (size > 1) values[size - 1] = 0.5;
  return values;
}
