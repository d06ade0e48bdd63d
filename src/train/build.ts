/** Everything that a trainer holds: stores filled, programs compiled. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, maxBindingSize, type Program } from '../backend/index.ts';
import type { LossScaleState } from '../common/index.ts';
import {
  logitsChunk,
  recomputeGranularity,
  resolveModel,
  type ResolvedModel,
} from '../config/index.ts';
import {
  type Adapters,
  createStores,
  evaluation,
  initialValues,
  listParameters,
  type LossFunction,
  type ModelStores,
  type Parameter,
  parameterSize,
  type ParameterSource,
  tokenLogps,
  trainingMicroStep,
  Weights,
  withoutAdapters,
} from '../model/index.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';
import {
  createLossScale,
  createOptimizer,
  type LossScale,
  type Optimizer,
} from '../optim/index.ts';
import type { Precision } from '../run/index.ts';
import { type RunParameters, runParameters } from './parameters.ts';
import { precisionHere } from './precision.ts';
import { savedReference, savedValues } from './saved_values.ts';
import type { StepPrograms } from './step.ts';
import type { TrainerOptions, TrainerState } from './state.ts';

export interface TrainerPrograms extends StepPrograms {
  evaluation: Program<{ sums: Tensor; losses: Tensor }>;
  /** Only for an objective with a reference. */
  referenceLogps?: Program<{ logps: Tensor }>;
}

export interface TrainerParts {
  model: ResolvedModel;
  objective: Objective;
  setting: ObjectiveSetting;
  precision: Precision;
  stores: ModelStores;
  optimizer: Optimizer;
  programs: TrainerPrograms;
  /**
   * The starting weights, which do not change, if the objective asks for them: `referenceCopy`, or
   * with LoRA the run's own weights without their adapters.
   */
  reference: ParameterSource | null;
  referenceCopy: Weights | null;
  /** Null in single precision. */
  scaling: LossScale | null;
  /**
   * A loss scale that this device does not use: kept for one that does. Updates that it skipped
   * stay excluded from Adam's bias correction.
   */
  keptLossScale: LossScaleState | null;
  /** Names of the model's own parameters, without the objective's. */
  modelParameters: ReadonlySet<string>;
}

/** @throws ShaderError, BindingTooLarge or DataError */
export async function buildTrainer(options: TrainerOptions): Promise<TrainerParts> {
  const { config, objective, from = null, compiling = () => undefined } = options;
  const { training } = config;
  const precision = options.precision ?? (await precisionHere(config));
  const { stage = null, data = null } = options;
  const model = resolveModel(config.model, options.vocab_size);
  const setting: ObjectiveSetting = { config, model, stage, data };
  if (!objective.dropout(setting)) model.dropout = 0;
  const scaling = lossScaleOf(options, model, precision);
  const listed = runParameters(objective, setting);
  const adapters = await adaptersOf(setting);
  const stores = allocate({ objective, setting, listed, adapters, precision, scaling });
  const { reference, referenceCopy } = referenceOf(objective, setting, stores);
  const optimizer = createOptimizer(training, listed.parameters.filter(listed.trains));
  const made = { model, objective, setting, precision, stores, optimizer, scaling };
  const parts = { ...made, reference, referenceCopy };
  compiling(0);
  const compiled = compile(parts);
  // Prevents an unhandled rejection if loading throws; `await compiled` still sees the error.
  compiled.catch(() => undefined);
  // The programs are traced: their kernels compile while the weights are drawn.
  load(parts, from, training.seed);
  compiling(0.5);
  return {
    ...parts,
    programs: await compiled,
    keptLossScale: scaling ? null : (from?.loss_scale ?? null),
    modelParameters: new Set(listParameters(model).map((parameter) => parameter.name)),
  };
}

function lossScaleOf(
  { config, from }: TrainerOptions,
  model: ResolvedModel,
  precision: Precision,
): LossScale | null {
  if (precision.mixed_precision !== 'fp16') return null;
  const { batch_size, gradient_accumulation_steps } = config.training;
  const tokens_per_step = batch_size * gradient_accumulation_steps * model.block_size;
  return createLossScale(tokens_per_step, from?.loss_scale);
}

/** The adapters of a run with LoRA, whose code other runs do not load. */
async function adaptersOf({ model, stage }: ObjectiveSetting): Promise<Adapters | null> {
  if (stage?.peft.peft_type !== 'lora') return null;
  const { LoraAdapters } = await import('../model/adapters.ts');
  return new LoraAdapters(model, stage.peft);
}

function referenceOf(objective: Objective, setting: ObjectiveSetting, { weights }: ModelStores) {
  if (!objective.reference(setting)) return { reference: null, referenceCopy: null };
  if (weights.adapters) return { reference: withoutAdapters(weights), referenceCopy: null };
  const referenceCopy = new Weights(listParameters(setting.model), () => false);
  return { reference: referenceCopy, referenceCopy };
}

type Allocatable = Pick<TrainerParts, 'objective' | 'setting' | 'precision' | 'scaling'> & {
  listed: RunParameters;
  adapters: Adapters | null;
};

function allocate(options: Allocatable): ModelStores {
  const { objective, setting, listed, adapters, precision, scaling } = options;
  const { config, model } = setting;
  const size = objective.shape(setting);
  const { batch_size, block_size } = size;
  const attention = objective.attention?.(setting);
  const computed = {
    ...config.training,
    batch_size,
    mixed_precision: precision.mixed_precision,
  };
  return createStores({
    model,
    batch_size,
    block_size,
    recompute_granularity: recomputeGranularity(config.training),
    loss_scale: scaling?.store ?? null,
    logits_chunk: logitsChunk({ ...model, block_size }, computed, maxBindingSize()),
    parameters: listed.parameters,
    trains: listed.trains,
    adapters,
    sum_count: objective.sums.length,
    extra_inputs: [...objective.inputs(size), ...(attention?.inputs(size) ?? [])],
    attend: attention?.attend,
  });
}

type Loadable = Pick<TrainerParts, 'stores' | 'optimizer' | 'referenceCopy'>;

/** Writes the values to start from: saved ones, else initial ones. */
function load(
  { stores, optimizer, referenceCopy }: Loadable,
  from: TrainerState | null,
  seed: number,
) {
  const { parameters } = stores.weights;
  const sizes = [...parameters, ...(referenceCopy?.parameters ?? [])].map(parameterSize);
  const memory = from ? undefined : new Float32Array(Math.max(...sizes));
  const start = (parameter: Parameter): Float32Array =>
    savedValues(from, parameter.name) ?? initialValues(parameter, seed, memory);
  for (const parameter of parameters) stores.weights.write(parameter.name, start(parameter));
  for (const parameter of referenceCopy?.parameters ?? []) {
    referenceCopy?.write(parameter.name, savedReference(from, parameter.name) ?? start(parameter));
  }
  const moments = new Set(optimizer.state.names);
  for (const [name, values] of from?.optimizer ?? []) {
    if (moments.has(name)) optimizer.state.write(name, values);
  }
}

type Compilable = Pick<
  TrainerParts,
  'stores' | 'optimizer' | 'reference' | 'scaling' | 'objective' | 'setting'
>;

/** All programs are traced before the first one waits for its kernels. */
async function compile(parts: Compilable): Promise<TrainerPrograms> {
  const { stores, optimizer, reference, scaling, objective, setting } = parts;
  const loss: LossFunction = (context) => objective.loss(context, setting);
  const { weights, gradients, sums } = stores;
  const finishStep = () =>
    optimizer.finishStep(weights.trainable, gradients.store, sums, { lossScale: scaling });
  const [microStep, update, evaluate, referenceLogps] = await Promise.all([
    trainingMicroStep(stores, loss),
    compileProgram('update', finishStep),
    evaluation(stores, loss),
    reference ? tokenLogps(stores, reference) : undefined,
  ]);
  const programs: TrainerPrograms = { microStep, update, evaluation: evaluate };
  if (referenceLogps) programs.referenceLogps = referenceLogps;
  return programs;
}
