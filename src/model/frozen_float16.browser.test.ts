/** LoRA over weights that WebGPU keeps in float16, against the same weights kept in float32. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend, type Values } from '../backend/index.ts';
import { roundToFloat16 } from '../testing/check_float16.ts';
import { closeness, expectClose } from '../testing/expect_close.ts';
import type { TinyRun } from '../testing/tiny_run.ts';
import { fitsFloat16, Float16Storage } from './frozen_float16.ts';
import { Generator } from './generate.ts';
import { listParameters } from './index.ts';
import { floats, LORA_CASES, loraBatch, loraModel, loraRun } from './testing_lora.ts';

beforeAll(async () => {
  await startBackend('webgpu');
});

interface Learned {
  logits: Values;
  losses: number[];
  norms: number[];
  adapters: Map<string, Values>;
  text: number[];
}

type LoraCase = (typeof LORA_CASES)[string];

async function learn(one: LoraCase, run: TinyRun): Promise<Learned> {
  const logits = await run.logits(loraBatch(one, 0));
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < 3; step++) {
    const { loss, grad_norm } = await run.step([loraBatch(one, step)], step);
    losses.push(loss);
    norms.push(grad_norm);
  }
  const adapters = await run.stores.weights.trainable.read();
  return { logits, losses, norms, adapters, text: await generated(run) };
}

/** Ids that the run generates, greedily, by matmuls of few rows. */
async function generated({ stores }: TinyRun): Promise<number[]> {
  const { model, weights, rotary } = stores;
  const generator = await Generator.create(model, weights, rotary);
  const greedy = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, sample_seed: 1 };
  const ids: number[] = [];
  const options = { ...greedy, max_new_tokens: 5 };
  for await (const { choice } of generator.generateRows([[1, 2]], options)) ids.push(choice.id);
  generator.dispose();
  return ids;
}

describe.each(Object.entries(LORA_CASES))('a base in float16: %s', (_name, one) => {
  it('learns what the base learns that was rounded to float16 beforehand', async () => {
    const frozen_storage = new Float16Storage({ keeps_originals: true });
    const run = await loraRun(one, { frozen_storage });
    const { frozen } = run.stores.weights;
    const actual = await learn(one, run);
    const original = await run.weights();
    run.dispose();
    const halved = listParameters(loraModel(one)).filter(fitsFloat16);
    const rounded = (values: Float32Array, name: string): Float32Array =>
      halved.some((parameter) => parameter.name === name) ? values.map(roundToFloat16) : values;
    const other = await loraRun(one, { rounded });
    const expected = await learn(one, other);
    const whole = other.stores.weights.frozen;
    other.dispose();

    const tolerance = { atol: 1e-6, rtol: 1e-5 };
    expectClose(actual.logits, expected.logits, tolerance, 'logits');
    expectClose(actual.losses, expected.losses, { atol: 0, rtol: 1e-6 }, 'losses');
    expectClose(actual.norms, expected.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
    for (const [name, values] of expected.adapters)
      expectClose(actual.adapters.get(name) ?? [], values, tolerance, name);
    expect(actual.text).toEqual(expected.text);
    // Checkpoints, exports and merges get the base as it was.
    for (const { name, initial } of one.golden.parameters)
      expect(original.get(name), name).toEqual(floats(initial));
    // The buffers are smaller by two bytes of each value in float16, and by padding.
    const values = halved.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const saved = (whole?.bytes ?? 0) - (frozen?.bytes ?? 0);
    expect(Math.abs(saved - 2 * values)).toBeLessThan(256 * halved.length);
    expect(halved.length).toBeGreaterThan(6);
  });

  it('differs from the base that was not rounded', async () => {
    const run = await loraRun(one, {
      frozen_storage: new Float16Storage({ keeps_originals: false }),
    });
    const logits = await run.logits(loraBatch(one, 0));
    run.dispose();
    const exact = await loraRun(one);
    const expected = await exact.logits(loraBatch(one, 0));
    exact.dispose();
    expect(closeness(logits, expected, { atol: 1e-6, rtol: 1e-5 }).ok).toBe(false);
    expectClose(logits, expected, { atol: 5e-3, rtol: 5e-3 }, 'logits');
  });
});
