/**
 * Equal configurations trace equal curves: batch 8 and 4x2 accumulated; replayed and op by op;
 * logits all at once and in chunks of the vocabulary. Dropout is on in all.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, startBackend, type Values } from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type TrainingConfig,
} from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { tinyRun } from '../testing/tiny_run.ts';
import { type BatchLike, initialValues, listParameters } from './index.ts';

const VOCAB = 11;
const T = 8;
const ROWS = 8;
const STEPS = 3;
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
function rows(step: number, from: number, to: number): BatchLike {
  const at = (i: number): number => from * T + i;
  const count = (to - from) * T;
  const token = (i: number): number => (i * i + 3 * i + 5 * step) % VOCAB;
  return {
    ids: Int32Array.from({ length: count }, (_v, i) => token(at(i))),
    targets: Int32Array.from({ length: count }, (_v, i) => token(at(i) + 1)),
    weights: new Float32Array(count).fill(1 / (ROWS * T)),
    positions: Int32Array.from({ length: count }, (_v, i) => i % T),
    row_offset: from,
  };
}

interface Curve {
  losses: number[];
  norms: number[];
  gradients: Map<string, Values>;
  weights: Map<string, Values>;
}

async function curve(
  config: Partial<ModelConfig>,
  micro_batches: number,
  changes: Partial<TrainingConfig> = {},
  logits_chunk = VOCAB,
): Promise<Curve> {
  const model = resolveModel({ ...defaultConfig().model, ...config }, VOCAB);
  const training = { ...defaultConfig().training, learning_rate: 3e-3, seed: 5, ...changes };
  const parameters = new Map(listParameters(model).map((p) => [p.name, p]));
  const size = ROWS / micro_batches;
  const run = await tinyRun(
    model,
    training,
    size,
    (name) => {
      const p = parameters.get(name);
      // Larger than usual, so that dropout moves the loss.
      return p ? initialValues(p, 7).map((v) => (p.decay ? 10 * v : v)) : new Float32Array();
    },
    false,
    logits_chunk,
  );
  const batches = (step: number): BatchLike[] =>
    Array.from({ length: micro_batches }, (_v, i) => rows(step, i * size, (i + 1) * size));
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

/**
 * Losses of the first backend, by model: the masks are functions of the seed, so every backend
 * draws the same.
 */
const first = new Map<string, number[]>();

describe.each(['cpu', 'wasm', 'webgl', 'webgpu'] as const)('%s', (backend) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  it.each(Object.entries(MODELS))(
    'batch 8 and 4x2 accumulated give the same steps: %s',
    async (name, config) => {
      const whole = await curve(config, 1);
      const halves = await curve(config, 2);
      expectClose(halves.losses, whole.losses, { atol: 0, rtol: 1e-6 }, 'losses');
      expectClose(halves.norms, whole.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
      for (const [parameter, g] of whole.gradients)
        expectClose(
          halves.gradients.get(parameter) ?? [],
          g,
          { atol: 1e-7, rtol: 1e-5 },
          `gradient of ${parameter}`,
        );
      const others = first.get(name) ?? whole.losses;
      first.set(name, others);
      expectClose(whole.losses, others, { atol: 0, rtol: 1e-5 }, 'losses on another backend');
      if (backend !== 'cpu') return;
      const dry = await curve({ ...config, dropout: 0 }, 1);
      expect(Math.abs((dry.losses[0] ?? 0) - (whole.losses[0] ?? 0))).toBeGreaterThan(1e-2);
    },
  );
});

describe.each(['cpu', 'wasm', 'webgl', 'webgpu'] as const)(
  '%s, logits in chunks of 4, 4 and 3 tokens',
  (backend) => {
    beforeAll(async () => {
      await startBackend(backend);
    });

    it.each([
      ['gpt2, tied', tiny, 1, {}],
      [
        'gpt2, untied, accumulated, blocks run again',
        { ...tiny, tie_word_embeddings: false },
        2,
        { activation_checkpointing: true },
      ],
      ['llama, untied', { ...MODELS.llama, tie_word_embeddings: false }, 1, {}],
    ] as const)('the same curve: %s', async (_name, config, micro_batches, changes) => {
      const whole = await curve(config, micro_batches, changes);
      const chunked = await curve(config, micro_batches, changes, 4);
      expectClose(chunked.losses, whole.losses, { atol: 0, rtol: 1e-5 }, 'losses');
      expectClose(chunked.norms, whole.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
      for (const [parameter, g] of whole.gradients)
        expectClose(
          chunked.gradients.get(parameter) ?? [],
          g,
          { atol: 1e-7, rtol: 1e-5 },
          `gradient of ${parameter}`,
        );
      expect(new Set(chunked.losses).size).toBe(STEPS);
    });
  },
);

describe('webgpu', () => {
  beforeAll(async () => {
    await startBackend('webgpu');
  });
  afterEach(() => setProgramMode('replay'));

  it.each([
    ...Object.entries(MODELS).map(([name, config]) => [name, config, VOCAB] as const),
    ['gpt2, logits in chunks', tiny, 4] as const,
  ])('replayed and op by op are equal bit for bit: %s', async (_name, config, chunk) => {
    const replayed = await curve(config, 2, {}, chunk);
    setProgramMode('op_by_op');
    const direct = await curve(config, 2, {}, chunk);
    expect(direct.losses).toEqual(replayed.losses);
    expect(direct.norms).toEqual(replayed.norms);
    expect([...direct.gradients]).toEqual([...replayed.gradients]);
    expect([...direct.weights]).toEqual([...replayed.weights]);
    expect(new Set(replayed.losses).size).toBe(STEPS);
  });
});
