/**
 * What a run learns. The loop, the trainer, the worker and the page know objectives by this
 * interface alone; pretraining is one of them.
 *
 * An objective gives batches and a traced loss. It may add parameters (a scalar head), freeze some,
 * ask for a frozen copy of the starting weights (a reference model), add inputs to the batch and
 * metrics to the table, and ask for programs that score or generate text while batches are made.
 */
import type { Batch, Chart, Metric, MetricRow } from '../common/index.ts';
import type { ResolvedModel, RunConfig } from '../config/index.ts';
import type { TokenSplit } from '../data/index.ts';
import {
  type Generator,
  type InputSpec,
  listParameters,
  type LossFunction,
  type Parameter,
} from '../model/index.ts';

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

/** Programs of the run that a source may call while it makes batches. */
export interface ObjectivePrograms {
  /** Log-probability of each target under the current weights [tokens], nats. */
  logps(batch: Batch): Promise<Float32Array>;
  /** The same under the frozen reference weights; throws if the objective has no reference. */
  referenceLogps(batch: Batch): Promise<Float32Array>;
  /** Generates text from the current weights. */
  generation(): Promise<Generator>;
}

export interface SourceContext {
  config: RunConfig;
  model: ResolvedModel;
  split: TokenSplit;
  programs: ObjectivePrograms;
}

/** Where batches come from. A function of the step alone, so that a resumed run sees the same ones. */
export interface Source {
  /**
   * All micro-batches of one optimizer step, whose weights add up over the whole step. A promise
   * where making them takes time or a program (rollouts, reference log-probabilities).
   */
  step(step: number): readonly Batch[] | Promise<readonly Batch[]>;
  /** The same batches each time; weights add up over all of them. */
  evaluation(): readonly Batch[] | Promise<readonly Batch[]>;
}

export interface Objective {
  readonly name: string;
  /** Metrics beyond those of every run, and the charts that they bring. */
  readonly metrics: readonly Metric[];
  readonly charts: readonly Chart[];
  /** Names of what a step adds up on the device, in the order of the traced sums. */
  readonly sums: readonly ['loss', ...string[]];
  readonly loss: LossFunction;
  /** Keep a frozen copy of the starting weights, for `referenceLogps`. */
  readonly reference: boolean;
  /** Metric that the best checkpoint is chosen by; lower is better. */
  readonly score: string;
  /** The model's parameters and the objective's own, matrices first. */
  parameters(model: ResolvedModel): readonly Parameter[];
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
    metrics: [],
    charts: [],
    sums: ['loss'],
    reference: false,
    score: 'val/loss',
    parameters: listParameters,
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
