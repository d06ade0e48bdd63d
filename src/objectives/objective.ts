/**
 * What a run learns. The loop, the trainer, the worker and the page know objectives by this
 * interface alone; pretraining is one of them.
 *
 * An objective gives batches and a traced loss. It may add parameters (a scalar head), freeze some,
 * ask for a frozen copy of the starting weights (a reference model), add inputs to the batch and
 * metrics to the table, and ask for programs that score or generate text while batches are made.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type {
  Batch,
  Chart,
  InspectedStep,
  Metric,
  MetricRow,
  RolloutRecord,
  Shard,
} from '../common/index.ts';
import type { ResolvedModel, RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { StageData, TokenSplit } from '../data/index.ts';
import {
  type Attend,
  type Generator,
  hiddenStates,
  type InputSpec,
  listParameters,
  type LossContext,
  modelOf,
  type Parameter,
  type TracedLoss,
  type ValueContext,
} from '../model/index.ts';
import type { Rollout, RolloutRequest } from '../rollout/index.ts';

/** `diverging` is not saved over a good checkpoint; `exploded` ends the run. */
export type Health = 'fine' | 'diverging' | 'exploded';

export interface HealthReport {
  /** Loss of the latest step that was not skipped. */
  loss: number;
  /** Loss of the first step since the run was started or resumed. */
  first_loss: number;
  /** Loss of the step before, or `loss` itself without one. */
  previous_loss: number;
  vocab_size: number;
}

/** Sums of a step or of an evaluation, by the names in `Objective.sums`. */
export type Sums = Readonly<Record<string, number>>;

/** What a run is, as far as an objective needs to know it. */
export interface ObjectiveSetting {
  config: RunConfig;
  model: ResolvedModel;
  /** Null for pretraining. */
  stage: StageConfig | null;
  /** Null for pretraining. */
  data: StageData | null;
}

/** The setting of an objective after pretraining. Throws if it is one of pretraining. */
export function stageOf(setting: ObjectiveSetting): { stage: StageConfig; data: StageData } {
  const { stage, data } = setting;
  if (!stage || !data) throw new Error('This objective needs the data of a stage.');
  return { stage, data };
}

/** Programs of the run that a source may call while it makes batches. */
export interface ObjectivePrograms {
  /** Log-probability of each target under the current weights [tokens], nats. */
  logps(batch: Batch): Promise<Float32Array>;
  /** The same under the frozen reference weights; throws if the objective has no reference. */
  referenceLogps(batch: Batch): Promise<Float32Array>;
  /** Values of one of `Objective.programs`, by its name. */
  run(name: string, batch: Batch): Promise<Float32Array>;
  /** Answers to prompts, sampled from the current weights; a function of weights and request. */
  rollouts(request: RolloutRequest): Promise<Rollout[]>;
  /** Generates text from the current weights. */
  generation(): Promise<Generator>;
}

/** Tensors that a source keeps over a save, by name: rollouts whose updates are not all done. */
export type SourceState = ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>;

export interface SourceContext extends ObjectiveSetting {
  split: TokenSplit;
  programs: ObjectivePrograms;
  /** What `Source.state` returned when the run was saved; null for a run that begins. */
  restored?: SourceState | null;
}

/** Where batches come from. A function of the step alone, so that a resumed run sees the same ones. */
export interface Source {
  /**
   * All micro-batches of one optimizer step, whose weights add up over the whole step. A promise
   * where making them takes time or a program (rollouts, reference log-probabilities).
   */
  step(step: number): readonly Batch[] | Promise<readonly Batch[]>;
  /** The same batches each time; weights add up over all of them. Empty: the loss is not evaluated. */
  evaluation(): readonly Batch[] | Promise<readonly Batch[]>;
  /** Draws the batches of later steps from this part of the text only; the whole text by default. */
  setShard?(shard: Shard): void;
  /** Metrics of an evaluation beyond those of the loss, such as rewards of held-out prompts. */
  measure?(): Promise<Partial<MetricRow>>;
  /** Metrics that making the batches of the latest step gave, such as rewards and KL. */
  stepMetrics?(): Partial<MetricRow>;
  /** What a checkpoint has to keep so that the next step is the same after a resume. */
  state?(): SourceState;
  /** A sentence for the user on what training meets, once; null if there is none. */
  takeNotice?(): string | null;
  /** The latest batch, token by token; null before the first step. */
  inspect?(): Promise<InspectedStep | null>;
  /** Answers that were sampled since the last call. */
  takeRollouts?(): RolloutRecord[];
}

/** A replacement of causal attention, with the inputs that it reads of a batch's `extra`. */
export interface RowAttention {
  attend: Attend;
  inputs(size: { batch_size: number; block_size: number }): readonly InputSpec[];
}

/** The model of a `ValueProgram` that is the frozen copy of the starting weights. */
export const REFERENCE = 'reference.';

/** What a source reads of a forward pass of one model of the run: a value per token or row. */
export interface ValueProgram {
  /** Prefix of the model's parameters, '' for the one that answers; or `REFERENCE`. */
  model: string;
  values: (context: LossContext, setting: ObjectiveSetting) => Tensor;
}

/** A program of an objective, as `valueProgram` traces it over all layers. */
export function tracedValues({ model, values }: ValueProgram, setting: ObjectiveSetting) {
  return ({ forward, reference, logits_chunk }: ValueContext): Tensor => {
    const pass = model === REFERENCE ? reference : modelOf(forward, model);
    if (!pass) throw new Error('This stage has no reference weights.');
    return values({ forward: pass, hidden: hiddenStates(pass), logits_chunk }, setting);
  };
}

export interface Objective {
  readonly name: string;
  /** What it learns from: running text, or one kind of the examples of StageData. */
  readonly data: 'text' | 'examples' | 'pairs' | 'prompts';
  /** Metrics beyond those of every run, and the charts that they bring. */
  readonly metrics: readonly Metric[];
  readonly charts: readonly Chart[];
  /** Names of what a step adds up on the device, in the order of the traced sums. */
  readonly sums: readonly ['loss', ...string[]];
  /** The traced loss of a micro-batch. */
  loss(context: LossContext, setting: ObjectiveSetting): TracedLoss;
  /**
   * Prefixes of the parameters of the models whose hidden states the loss reads. The first one's are
   * `LossContext.hidden`; `hiddenStates` of a pass of another one gives its own.
   */
  readonly models: readonly [string, ...string[]];
  /** Programs beyond step and evaluation, by name: forward only, dropout off. */
  readonly programs: Readonly<Record<string, ValueProgram>>;
  /** Attention other than the causal one over whole rows, such as one inside documents. */
  attention?(setting: ObjectiveSetting): RowAttention | undefined;
  /** Whether the model's dropout is on in training; it is off elsewhere. */
  dropout(setting: ObjectiveSetting): boolean;
  /** Whether a frozen reference is needed, for `referenceLogps`. */
  reference(setting: ObjectiveSetting): boolean;
  /** Metric that the best checkpoint is chosen by. */
  readonly score: string;
  /** Whether a higher score is better; lower by default. */
  readonly score_is_reward: boolean;
  /** Rows of a micro-batch and tokens of a row; by default, the configuration's. */
  shape(setting: ObjectiveSetting): { batch_size: number; block_size: number };
  /** The model's parameters and the objective's own, matrices first. */
  parameters(setting: ObjectiveSetting): readonly Parameter[];
  /** Whether a parameter trains; the others have neither gradients nor moments. */
  trains(parameter: Parameter): boolean;
  /** Inputs beyond ids, targets, weights and positions; batches carry them in `extra`. */
  inputs(size: { batch_size: number; block_size: number }): readonly InputSpec[];
  health(report: HealthReport): Health;
  /** What one step logs. */
  stepMetrics(sums: Sums): Partial<MetricRow>;
  /** What one evaluation logs. */
  evaluationMetrics(sums: Sums, data: EvaluationData): Partial<MetricRow>;
  source(context: SourceContext): Source;
}

export interface EvaluationData {
  batches: readonly Batch[];
  split: TokenSplit;
}

type Required = Pick<Objective, 'name' | 'loss' | 'source'>;

/** Fills in what an objective does not say: every parameter trains, sums are logged as they are. */
export function defineObjective(objective: Required & Partial<Objective>): Objective {
  return {
    data: 'text',
    metrics: [],
    charts: [],
    sums: ['loss'],
    models: [''],
    programs: {},
    dropout: () => true,
    reference: () => false,
    score: 'val/loss',
    score_is_reward: false,
    shape: ({ config, model }) => ({
      batch_size: config.training.batch_size,
      block_size: model.block_size,
    }),
    parameters: ({ model }) => listParameters(model),
    trains: () => true,
    inputs: () => [],
    health: ({ loss }) => (Number.isFinite(loss) ? 'fine' : 'exploded'),
    stepMetrics: (sums) => prefixed('train', sums),
    evaluationMetrics: (sums) => prefixed('val', sums),
    ...objective,
  };
}

/** Each sum as a metric of its name, such as `train/loss`. */
export function prefixed(prefix: string, sums: Sums): Partial<MetricRow> {
  return Object.fromEntries(
    Object.entries(sums).map(([name, value]) => [`${prefix}/${name}`, value]),
  );
}
