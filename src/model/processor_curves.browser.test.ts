/**
 * Fifty steps on the engine on the processor: to the bit the same replayed and op by op, with and
 * without activation checkpointing, and again; close to tfjs's plain JavaScript and to WebGPU.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { setProgramMode } from '../backend/index.ts';
import type { ModelConfig, TrainingConfig } from '../config/index.ts';
import { closeness, expectClose } from '../testing/expect_close.ts';
import { startOnce, type TestedBackend } from '../testing/start_once.ts';
import { type Curve, MODELS, tiny, trainCurve } from './testing_curves.ts';

const STEPS = 50;
/** Losses of the same run on another backend. */
const TOLERANCE = { atol: 0, rtol: 1e-5 };

interface Case {
  model: Partial<ModelConfig>;
  training: Partial<TrainingConfig>;
}

const gentle: Partial<TrainingConfig> = { learning_rate: 1e-3 };
const CASES: Record<string, Case> = {
  'gpt2 with dropout': { model: tiny, training: gentle },
  'llama with grouped queries and a window': { model: MODELS.llama ?? {}, training: gentle },
  'gpt2, untied': { model: { ...tiny, tie_word_embeddings: false }, training: gentle },
  'gpt2, Muon': { model: tiny, training: { ...gentle, optimizer: 'muon' } },
};

interface Way {
  backend?: TestedBackend;
  mode?: 'replay' | 'op_by_op';
  micro_batches?: number;
  training?: Partial<TrainingConfig>;
}

async function curve({ model, training }: Case, way: Way = {}): Promise<Curve> {
  const { backend = 'processor', mode = 'replay', micro_batches = 1 } = way;
  await startOnce(backend);
  setProgramMode(mode);
  const all = { ...training, ...way.training };
  return trainCurve(model, { steps: STEPS, micro_batches, training: all });
}

function expectSameBits(actual: Curve, expected: Curve): void {
  expect(actual.losses).toEqual(expected.losses);
  expect(actual.norms).toEqual(expected.norms);
  expect([...actual.weights]).toEqual([...expected.weights]);
}

describe.each(Object.entries(CASES))('fifty steps of %s', (name, one) => {
  afterEach(() => setProgramMode('replay'));

  it('have the same bits replayed, again, op by op and with checkpointing', async () => {
    const replayed = await curve(one);
    expect(new Set(replayed.losses).size).toBe(STEPS);
    expectSameBits(await curve(one), replayed);
    expectSameBits(await curve(one, { mode: 'op_by_op' }), replayed);
    const training = { activation_checkpointing: true };
    expectSameBits(await curve(one, { training }), replayed);
  });

  it('have the same bits replayed and op by op when they are accumulated', async () => {
    const whole = await curve(one);
    const accumulated = await curve(one, { micro_batches: 2 });
    expectSameBits(await curve(one, { micro_batches: 2, mode: 'op_by_op' }), accumulated);
    expectClose(accumulated.losses, whole.losses, TOLERANCE, 'losses');
  });

  it.each(['cpu', 'webgpu'] as const)('have the losses of %s', async (backend) => {
    const here = await curve(one);
    const there = await curve(one, { backend });
    const { relative } = closeness(here.losses, there.losses, TOLERANCE);
    const error = relative.error.toExponential(1);
    console.log(`${name} against ${backend}: largest relative difference ${error}`);
    expectClose(here.losses, there.losses, TOLERANCE, 'losses');
  });
});
