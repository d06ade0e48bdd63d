/** Mixed precision as a whole on WebGPU: float16 activations, a scaled loss, float32 weights. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, startBackend, type Store, type Values } from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type TrainingConfig,
} from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { type TinyRun, tinyRun } from '../testing/tiny_run.ts';
import { type BatchLike, initialValues, listParameters } from './index.ts';

const VOCAB = 12;
const T = 8;
const ROWS = 8;
const tiny: Partial<ModelConfig> = {
  n_layer: 2,
  n_head: 2,
  n_embd: 16,
  n_inner: 32,
  block_size: T,
};
const MODELS: Record<string, Partial<ModelConfig>> = {
  gpt2: tiny,
  'llama, grouped queries, qk_norm, window': {
    ...tiny,
    layout: 'llama',
    n_kv_head: 1,
    activation_function: 'silu',
    bias: false,
    qk_norm: true,
    sliding_window: 5,
  },
};

function batch(step: number): BatchLike {
  const count = ROWS * T;
  const token = (i: number): number => (i * i + 3 * i + 5 * step) % VOCAB;
  return {
    ids: Int32Array.from({ length: count }, (_, i) => token(i)),
    targets: Int32Array.from({ length: count }, (_, i) => token(i + 1)),
    weights: new Float32Array(count).fill(1 / count),
    positions: Int32Array.from({ length: count }, (_, i) => i % T),
    row_offset: 0,
  };
}

interface RunOptions {
  precision: TrainingConfig['mixed_precision'];
  logits_chunk?: number;
  /** What the backward pass computes again; nothing by default. */
  recompute?: TrainingConfig['recompute_granularity'];
}

function start(config: Partial<ModelConfig>, options: RunOptions): Promise<TinyRun> {
  const { precision, logits_chunk = VOCAB, recompute } = options;
  const model = resolveModel({ ...defaultConfig().model, ...config }, VOCAB);
  const { training } = defaultConfig();
  Object.assign(training, { learning_rate: 3e-3, seed: 5, mixed_precision: precision });
  if (recompute)
    Object.assign(training, { activation_checkpointing: true, recompute_granularity: recompute });
  const initial = new Map(listParameters(model).map((one) => [one.name, initialValues(one, 7)]));
  return tinyRun({
    model,
    training,
    batch_size: ROWS,
    initial: (name) => initial.get(name) ?? new Float32Array(),
    logits_chunk,
  });
}

interface Curve {
  losses: number[];
  norms: number[];
  weights: Map<string, Values>;
}

async function train(
  config: Partial<ModelConfig>,
  { steps, ...options }: RunOptions & { steps: number },
): Promise<Curve> {
  const run = await start(config, options);
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { loss, grad_norm } = await run.step([batch(step)], step);
    losses.push(loss);
    norms.push(grad_norm);
  }
  const weights = await run.weights();
  run.dispose();
  return { losses, norms, weights };
}

/** Largest relative difference of the losses of two curves. */
function lossDifference(actual: Curve, expected: Curve): number {
  return Math.max(
    ...actual.losses.map((loss, i) => Math.abs(loss / (expected.losses[i] ?? NaN) - 1)),
  );
}

beforeAll(async () => {
  await startBackend('webgpu');
});
afterEach(() => setProgramMode('replay'));

describe.each(Object.entries(MODELS))('mixed precision of %s', (_, config) => {
  it('stays within 1 per cent of the float32 loss over 50 steps', async () => {
    const half = await train(config, { precision: 'fp16', steps: 50 });
    const single = await train(config, { precision: 'no', steps: 50 });
    const [first = NaN] = single.losses;
    const difference = (100 * lossDifference(half, single)).toFixed(3);
    console.log(
      `Loss ${first.toFixed(4)} to ${single.losses.at(-1)?.toFixed(4)} in float32, ` +
        `to ${half.losses.at(-1)?.toFixed(4)} in float16; at most ${difference} per cent apart.`,
    );
    expectClose(half.losses, single.losses, { atol: 0, rtol: 1e-2 }, 'losses');
    expect(half.losses).not.toEqual(single.losses);
    expect(half.losses.at(-1)).toBeLessThan(0.8 * (half.losses[0] ?? NaN));
  });

  it('is equal bit for bit in two runs, op by op, and with either recomputation', async () => {
    const options = { precision: 'fp16', steps: 3 } as const;
    const first = await train(config, options);
    const again = await train(config, options);
    const selective = await train(config, { ...options, recompute: 'selective' });
    const full = await train(config, { ...options, recompute: 'full' });
    setProgramMode('op_by_op');
    const opByOp = await train(config, options);
    for (const other of [again, selective, full, opByOp]) {
      expect(other.losses).toEqual(first.losses);
      expect(other.norms).toEqual(first.norms);
      expect([...other.weights]).toEqual([...first.weights]);
    }
  });
});

describe('float16 logits in chunks of the vocabulary', () => {
  it.each([
    ['tied', tiny],
    ['untied', { ...tiny, tie_word_embeddings: false }],
  ] as const)('give the same steps as all logits at once: %s', async (_, config) => {
    const whole = await train(config, { precision: 'fp16', steps: 10 });
    const chunked = await train(config, { precision: 'fp16', steps: 10, logits_chunk: 4 });
    const single = await train(config, { precision: 'no', steps: 10 });
    console.log(
      `float16 losses differ by ${lossDifference(chunked, whole).toExponential(1)} in chunks, ` +
        `by ${lossDifference(whole, single).toExponential(1)} from float32.`,
    );
    // The first loss reads the same float16 values. Later ones follow gradients that are summed in
    // another order before they are rounded.
    const [first = NaN] = whole.losses;
    expectClose(chunked.losses.slice(0, 1), [first], { atol: 0, rtol: 1e-6 }, 'first loss');
    expectClose(chunked.losses, whole.losses, { atol: 0, rtol: 1e-4 }, 'losses');
    expectClose(chunked.norms, whole.norms, { atol: 0, rtol: 1e-3 }, 'gradient norms');
    expect(chunked.losses[0]).not.toBe(single.losses[0]);
  });
});

/** Length of the difference over the length of what is expected. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const squaredLength = (valueAt: (i: number) => number): number =>
    Array.from(expected, (_, i) => valueAt(i) ** 2).reduce((sum, square) => sum + square, 0);
  const difference = squaredLength((i) => (actual[i] ?? NaN) - (expected[i] ?? NaN));
  return Math.sqrt(difference / squaredLength((i) => expected[i] ?? NaN));
}

function scaleOf(run: TinyRun): Store {
  const store = run.stores.loss_scale;
  if (!store) throw new Error('This run has no loss scale.');
  return store;
}

describe('the loss scale', () => {
  it('keeps gradients that underflow in float16 without it', async () => {
    // Token weights of 2^-22, as in a batch of four million tokens; float16 ends at 2^-25.
    const weights = new Float32Array(ROWS * T).fill(2 ** -22);
    const lightBatch = { ...batch(0), weights };
    const single = await start(tiny, { precision: 'no' });
    const expected = (await single.gradients([lightBatch], 0)).gradients;
    const half = await start(tiny, { precision: 'fp16' });
    const errorsAtScale = async (scale: number): Promise<number[]> => {
      scaleOf(half).write('scale', Float32Array.of(scale));
      const { gradients } = await half.gradients([lightBatch], 0);
      return [...expected].map(([name, values]) =>
        relativeError(gradients.get(name) ?? [], values),
      );
    };
    const scaled = await errorsAtScale(2 ** 30);
    const unscaled = await errorsAtScale(1);
    const allZero = unscaled.filter((error) => error === 1).length;
    console.log(
      `Relative errors of the gradients of ${scaled.length} parameters: ` +
        `scaled at most ${Math.max(...scaled).toExponential(1)}; ` +
        `unscaled ${Math.min(...unscaled).toFixed(3)} to ${Math.max(...unscaled).toFixed(3)}, ` +
        `${allZero} of them all zero.`,
    );
    expect(Math.max(...scaled)).toBeLessThan(5e-3);
    expect(Math.min(...unscaled)).toBeGreaterThan(0.05);
    half.dispose();
    single.dispose();
  });

  it('skips steps that overflow and halves itself until one succeeds', async () => {
    const run = await start(tiny, { precision: 'fp16' });
    const store = scaleOf(run);
    const before = await run.weights();
    store.write('scale', Float32Array.of(2 ** 30));
    const skipped = await run.step([batch(0)], 0);
    expect(Number.isFinite(skipped.loss)).toBe(true);
    expect(Number.isFinite(skipped.grad_norm)).toBe(false);
    expect([...(await run.weights())]).toEqual([...before]);
    expect((await store.read()).get('scale')).toEqual(Float32Array.of(2 ** 29));
    let steps = 0;
    let norm = NaN;
    while (!Number.isFinite(norm) && steps < 30) {
      steps++;
      norm = (await run.step([batch(0)], steps)).grad_norm;
    }
    const [scale = 0] = (await store.read()).get('scale') ?? [];
    expect(scale).toBe(2 ** (30 - steps));
    expect([...(await run.weights())]).not.toEqual([...before]);
    expect((await store.read()).get('counts')).toEqual(Float32Array.of(1, steps));
    // Skipped steps do not count in the moments or their bias corrections either: the successful
    // step equals the first step of another run.
    const other = await start(tiny, { precision: 'fp16' });
    scaleOf(other).write('scale', Float32Array.of(scale));
    expect((await other.step([batch(0)], 0)).grad_norm).toBe(norm);
    expect([...(await other.weights())]).toEqual([...(await run.weights())]);
    run.dispose();
    other.dispose();
  });
});
