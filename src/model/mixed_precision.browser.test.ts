/** Mixed precision as a whole: activations as halves, a scaled loss, float32 weights, on WebGPU. */
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
    ids: Int32Array.from({ length: count }, (_v, i) => token(i)),
    targets: Int32Array.from({ length: count }, (_v, i) => token(i + 1)),
    weights: new Float32Array(count).fill(1 / count),
    positions: Int32Array.from({ length: count }, (_v, i) => i % T),
    row_offset: 0,
  };
}

function start(
  config: Partial<ModelConfig>,
  mixed_precision: TrainingConfig['mixed_precision'],
  changes: Partial<TrainingConfig> = {},
  logits_chunk = VOCAB,
): Promise<TinyRun> {
  const model = resolveModel({ ...defaultConfig().model, ...config }, VOCAB);
  const training = {
    ...defaultConfig().training,
    learning_rate: 3e-3,
    seed: 5,
    mixed_precision,
    ...changes,
  };
  const parameters = new Map(listParameters(model).map((p) => [p.name, p]));
  return tinyRun(
    model,
    training,
    ROWS,
    (name) => {
      const p = parameters.get(name);
      return p ? initialValues(p, 7) : new Float32Array();
    },
    false,
    logits_chunk,
  );
}

interface Curve {
  losses: number[];
  norms: number[];
  weights: Map<string, Values>;
}
async function curve(
  config: Partial<ModelConfig>,
  mixed_precision: TrainingConfig['mixed_precision'],
  steps: number,
  changes: Partial<TrainingConfig> = {},
  logits_chunk = VOCAB,
): Promise<Curve> {
  const run = await start(config, mixed_precision, changes, logits_chunk);
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

beforeAll(async () => {
  await startBackend('webgpu');
});
afterEach(() => setProgramMode('replay'));

describe.each(Object.entries(MODELS))('%s', (_name, config) => {
  it('50 steps in halves trace the curve of float32 within 1 per cent', async () => {
    const half = await curve(config, 'fp16', 50);
    const single = await curve(config, 'no', 50);
    const worst = Math.max(
      ...half.losses.map((l, i) => Math.abs(l / (single.losses[i] ?? NaN) - 1)),
    );
    console.log(
      `loss ${single.losses[0]?.toFixed(4)} to ${single.losses[49]?.toFixed(4)}; in halves ${half.losses[49]?.toFixed(4)}; worst ${(100 * worst).toFixed(3)} per cent`,
    );
    expectClose(half.losses, single.losses, { atol: 0, rtol: 1e-2 }, 'losses');
    expect(half.losses).not.toEqual(single.losses);
    expect(half.losses[49]).toBeLessThan(0.8 * (half.losses[0] ?? NaN));
  });

  it('replayed and op by op are equal bit for bit, and so are two runs', async () => {
    const first = await curve(config, 'fp16', 3);
    const again = await curve(config, 'fp16', 3);
    setProgramMode('op_by_op');
    const direct = await curve(config, 'fp16', 3);
    for (const other of [again, direct]) {
      expect(other.losses).toEqual(first.losses);
      expect(other.norms).toEqual(first.norms);
      expect([...other.weights]).toEqual([...first.weights]);
    }
  });
});

describe('logits in chunks of the vocabulary', () => {
  it.each([
    ['tied', tiny],
    ['untied', { ...tiny, tie_word_embeddings: false }],
  ] as const)(
    'are halves as all of them are, and give the same steps: %s',
    async (_name, config) => {
      const whole = await curve(config, 'fp16', 10);
      const chunked = await curve(config, 'fp16', 10, {}, 4);
      const single = await curve(config, 'no', 10);
      const far = (a: Curve, b: Curve): number =>
        Math.max(...a.losses.map((l, i) => Math.abs(l / (b.losses[i] ?? NaN) - 1)));
      console.log(
        `Losses in halves, chunked against whole ${far(chunked, whole).toExponential(1)}, against float32 ${far(whole, single).toExponential(1)}.`,
      );
      // The first loss reads the same halves; later ones differ by gradients that are rounded after
      // they were summed in another order.
      expectClose(
        chunked.losses.slice(0, 1),
        whole.losses.slice(0, 1),
        { atol: 0, rtol: 1e-6 },
        'first loss',
      );
      expectClose(chunked.losses, whole.losses, { atol: 0, rtol: 1e-4 }, 'losses');
      expectClose(chunked.norms, whole.norms, { atol: 0, rtol: 1e-3 }, 'gradient norms');
      expect(chunked.losses[0]).not.toBe(single.losses[0]);
    },
  );
});

/** Length of the difference over the length of what is expected. */
const relative = (got: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const squares = (of: (i: number) => number): number =>
    Array.from(expected, (_v, i) => of(i) ** 2).reduce((a, b) => a + b, 0);
  return Math.sqrt(
    squares((i) => (got[i] ?? NaN) - (expected[i] ?? NaN)) / squares((i) => expected[i] ?? NaN),
  );
};

describe('the loss scale', () => {
  const scaleOf = (run: TinyRun): Store => {
    const s = run.stores.loss_scale;
    if (!s) throw new Error('No loss scale.');
    return s;
  };
  const weightless = { ...batch(0), weights: new Float32Array(ROWS * T).fill(2 ** -22) };

  it('keeps gradients that halves would lose', async () => {
    // Weights of tokens as a batch of four million has them: 2^-22, against the 2^-25 where halves
    // end.
    const single = await start(tiny, 'no');
    const expected = (await single.gradients([weightless], 0)).gradients;
    const half = await start(tiny, 'fp16');
    const store = scaleOf(half);
    const errors = async (scale: number): Promise<number[]> => {
      store.write('scale', Float32Array.of(scale));
      const { gradients } = await half.gradients([weightless], 0);
      return [...expected].map(([name, g]) => relative(gradients.get(name) ?? [], g));
    };
    const scaled = await errors(2 ** 30);
    const bare = await errors(1);
    console.log(
      `Gradients of the ${scaled.length} parameters, relative error: scaled at most ${Math.max(...scaled).toExponential(1)}; not scaled ${Math.min(...bare).toFixed(3)} to ${Math.max(...bare).toFixed(3)}, all zero in ${bare.filter((e) => e === 1).length}.`,
    );
    expect(Math.max(...scaled)).toBeLessThan(5e-3);
    expect(Math.min(...bare)).toBeGreaterThan(0.05);
    half.dispose();
    single.dispose();
  });

  it('leaves a step out where something overflows, halves itself, and goes on', async () => {
    const run = await start(tiny, 'fp16');
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
    for (; !Number.isFinite(norm) && steps < 30; steps++)
      ({ grad_norm: norm } = await run.step([batch(0)], steps + 1));
    const [scale = 0] = (await store.read()).get('scale') ?? [];
    expect(scale).toBe(2 ** (30 - steps));
    expect([...(await run.weights())]).not.toEqual([...before]);
    expect((await store.read()).get('counts')).toEqual(Float32Array.of(1, steps));
    // Moments and their bias corrections were left alone as well: the step that went through is the
    // first one of another run.
    const other = await start(tiny, 'fp16');
    scaleOf(other).write('scale', Float32Array.of(scale));
    expect((await other.step([batch(0)], 0)).grad_norm).toBe(norm);
    expect([...(await other.weights())]).toEqual([...(await run.weights())]);
    run.dispose();
    other.dispose();
  });
});
