/**
 * Configurations that should be equal have equal curves, with dropout on: one batch of 8 and two
 * accumulated batches of 4; replayed and op by op; all logits at once and in chunks.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode } from '../backend/index.ts';
import type { ModelConfig } from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { startTested } from '../testing/start_once.ts';
import {
  type Curve,
  type CurveOptions,
  MODELS,
  tiny,
  trainCurve,
  VOCAB,
} from './testing_curves.ts';

const STEPS = 3;
const BACKENDS = ['cpu', 'wasm', 'processor', 'webgl', 'webgpu'] as const;

const train = (
  config: Partial<ModelConfig>,
  options: Omit<CurveOptions, 'steps'>,
): Promise<Curve> => trainCurve(config, { steps: STEPS, ...options });

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
