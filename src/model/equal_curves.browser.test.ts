/**
 * Configurations that should be equal have equal curves, with dropout on: one batch of 8 and two
 * accumulated batches of 4; replayed and op by op; all logits at once and in chunks.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, type Values } from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type TrainingConfig,
} from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { tinyRun } from '../testing/tiny_run.ts';
import { type BatchLike, initialValues, listParameters, type Parameter } from './index.ts';
import { startTested } from '../testing/start_once.ts';

const VOCAB = 11;
const T = 8;
const ROWS = 8;
const STEPS = 3;
const BACKENDS = ['cpu', 'wasm', 'processor', 'webgl', 'webgpu'] as const;
const tiny: Partial<ModelConfig> = {
  n_layer: 1,
  n_head: 2,
  n_embd: 16,
  n_inner: 32,
  block_size: T,
  dropout: 0.2,
};
const MODELS: Record<string, Partial<ModelConfig>> = {
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

interface CurveOptions {
  micro_batches: number;
  training?: Partial<TrainingConfig>;
  logits_chunk?: number;
}

interface Curve {
  losses: number[];
  norms: number[];
  gradients: Map<string, Values>;
  weights: Map<string, Values>;
}

async function train(config: Partial<ModelConfig>, options: CurveOptions): Promise<Curve> {
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
  for (let step = 0; step < STEPS; step++) {
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

function expectSameGradients(actual: Curve, expected: Curve): void {
  const tolerance = { atol: 1e-7, rtol: 1e-5 };
  for (const [name, values] of expected.gradients) {
    expectClose(actual.gradients.get(name) ?? [], values, tolerance, `gradient of ${name}`);
  }
}

/** Losses of the first backend by model. Dropout masks are functions of the seed. */
const firstBackend = new Map<string, number[]>();

describe.each(BACKENDS)('on %s', (backend) => {
  beforeAll(async () => {
    await startTested(backend);
  });

  it.each(Object.entries(MODELS))(
    'one batch of 8 and two accumulated batches of 4 give the same steps: %s',
    async (name, config) => {
      const whole = await train(config, { micro_batches: 1 });
      const accumulated = await train(config, { micro_batches: 2 });
      expectClose(accumulated.losses, whole.losses, { atol: 0, rtol: 1e-6 }, 'losses');
      expectClose(accumulated.norms, whole.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
      expectSameGradients(accumulated, whole);
      const others = firstBackend.get(name) ?? whole.losses;
      firstBackend.set(name, others);
      expectClose(whole.losses, others, { atol: 0, rtol: 1e-5 }, 'losses on another backend');
      if (backend !== 'cpu') return;
      const withoutDropout = await train({ ...config, dropout: 0 }, { micro_batches: 1 });
      const [loss = NaN] = withoutDropout.losses;
      expect(Math.abs(loss - (whole.losses[0] ?? NaN))).toBeGreaterThan(1e-2);
    },
  );

  it.each([
    ['gpt2, tied', tiny, { micro_batches: 1 }],
    [
      'gpt2, untied, accumulated, activation checkpointing',
      { ...tiny, tie_word_embeddings: false },
      { micro_batches: 2, training: { activation_checkpointing: true } },
    ],
    ['llama, untied', { ...MODELS.llama, tie_word_embeddings: false }, { micro_batches: 1 }],
  ] as const)(
    'logits in chunks of 4, 4 and 3 tokens give the same curve: %s',
    async (_, config, options) => {
      const whole = await train(config, options);
      const chunked = await train(config, { ...options, logits_chunk: 4 });
      expectClose(chunked.losses, whole.losses, { atol: 0, rtol: 1e-5 }, 'losses');
      expectClose(chunked.norms, whole.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
      expectSameGradients(chunked, whole);
      expect(new Set(chunked.losses).size).toBe(STEPS);
    },
  );
});

describe.each(['processor', 'webgpu'] as const)('replay on %s', (backend) => {
  beforeAll(async () => {
    await startTested(backend);
  });
  afterEach(() => setProgramMode('replay'));

  it.each([
    ...Object.entries(MODELS).map(([name, config]) => [name, config, VOCAB] as const),
    ['gpt2, logits in chunks', tiny, 4] as const,
  ])('equals running op by op bit for bit: %s', async (_, config, logits_chunk) => {
    const replayed = await train(config, { micro_batches: 2, logits_chunk });
    setProgramMode('op_by_op');
    const opByOp = await train(config, { micro_batches: 2, logits_chunk });
    expect(opByOp.losses).toEqual(replayed.losses);
    expect(opByOp.norms).toEqual(replayed.norms);
    expect([...opByOp.gradients]).toEqual([...replayed.gradients]);
    expect([...opByOp.weights]).toEqual([...replayed.weights]);
    expect(new Set(replayed.losses).size).toBe(STEPS);
  });
});
