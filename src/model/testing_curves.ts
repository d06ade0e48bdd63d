/** Curves of tiny models, for tests of what must be equal. */
import type { Values } from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type TrainingConfig,
} from '../config/index.ts';
import { tinyRun } from '../testing/tiny_run.ts';
import { type BatchLike, initialValues, listParameters, type Parameter } from './index.ts';

export const VOCAB = 11;
const T = 8;
const ROWS = 8;
export const tiny: Partial<ModelConfig> = {
  n_layer: 1,
  n_head: 2,
  n_embd: 16,
  n_inner: 32,
  block_size: T,
  dropout: 0.2,
};
export const MODELS: Record<string, Partial<ModelConfig>> = {
  gpt2: tiny,
  llama: {
    ...tiny,
    layout: 'llama',
    n_kv_head: 1,
    activation_function: 'silu',
    bias: false,
    qk_norm: true,
    sliding_window: 5,
  },
};

/** Rows [from, to) of the step's eight. */
function batchOfRows(step: number, from: number, to: number): BatchLike {
  const count = (to - from) * T;
  const token = (i: number): number => (i * i + 3 * i + 5 * step) % VOCAB;
  return {
    ids: Int32Array.from({ length: count }, (_, i) => token(from * T + i)),
    targets: Int32Array.from({ length: count }, (_, i) => token(from * T + i + 1)),
    weights: new Float32Array(count).fill(1 / (ROWS * T)),
    positions: Int32Array.from({ length: count }, (_, i) => i % T),
    row_offset: from,
  };
}

export interface CurveOptions {
  /** Steps of the optimizer. */
  steps: number;
  micro_batches: number;
  training?: Partial<TrainingConfig>;
  logits_chunk?: number;
}

export interface Curve {
  losses: number[];
  norms: number[];
  gradients: Map<string, Values>;
  weights: Map<string, Values>;
}

export async function trainCurve(
  config: Partial<ModelConfig>,
  options: CurveOptions,
): Promise<Curve> {
  const { micro_batches, logits_chunk = VOCAB } = options;
  const model = resolveModel({ ...defaultConfig().model, ...config }, VOCAB);
  const { training } = defaultConfig();
  Object.assign(training, { learning_rate: 3e-3, seed: 5 }, options.training);
  const initial = new Map(listParameters(model).map((one) => [one.name, largeValues(one)]));
  const batch_size = ROWS / micro_batches;
  const run = await tinyRun({
    model,
    training,
    batch_size,
    initial: (name) => initial.get(name) ?? new Float32Array(),
    logits_chunk,
  });
  const batches = (step: number): BatchLike[] =>
    Array.from({ length: micro_batches }, (_, i) =>
      batchOfRows(step, i * batch_size, (i + 1) * batch_size),
    );
  const { gradients } = await run.gradients(batches(0), 0);
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < options.steps; step++) {
    const { loss, grad_norm } = await run.step(batches(step), step);
    losses.push(loss);
    norms.push(grad_norm);
  }
  const weights = await run.weights();
  run.dispose();
  return { losses, norms, gradients, weights };
}

/** Ten times the usual matrices, so that dropout changes the loss visibly. */
function largeValues(parameter: Parameter): Float32Array {
  const values = initialValues(parameter, 7);
  return parameter.decay ? values.map((value) => 10 * value) : values;
}
