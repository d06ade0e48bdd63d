/** Rollouts on WebGPU: the ratio of the first epoch, in float32 and with float16 activations. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createLossScale } from '../optim/index.ts';
import { startTested } from '../testing/start_once.ts';
import { Rollouts } from './rollouts.ts';
import {
  disposeStores,
  largestRatioError,
  makeStores,
  MODELS,
  PROMPTS,
  REQUEST,
  trainedLogps,
} from './testing_rollouts.ts';

/**
 * Rollouts compute in float32. Float16 activations have a relative error of 2^-11, which changes
 * log-probabilities by about 0.001 nats; the bound is far inside the clipping range of 0.2.
 */
const FP16_BOUND = 0.01;

const SIZES = { rows: PROMPTS.length, prompt_length: 7, max_new_tokens: 9 };

describe('rollouts on WebGPU', () => {
  beforeAll(() => startTested('webgpu'));

  it.each([
    ['gpt2', 'no', 1e-3],
    ['llama', 'no', 1e-3],
    ['gpt2', 'fp16', FP16_BOUND],
    ['llama', 'fp16', FP16_BOUND],
  ] as const)('have the ratio 1 in the first epoch: %s, %s', async (name, precision, bound) => {
    const loss_scale = precision === 'fp16' ? createLossScale(80).store : null;
    const stores = makeStores(MODELS[name], { loss_scale });
    const { model, weights, rotary } = stores;
    const rollouts = await Rollouts.create({ model, weights, rotary }, SIZES);
    for (const temperature of [0, 0.7, 1]) {
      const made = await rollouts.generate({ ...REQUEST, temperature });
      const again = await rollouts.generate({ ...REQUEST, temperature });
      expect(again).toEqual(made);
      const error = largestRatioError(made, await trainedLogps(stores, made, temperature || 1));
      console.log(`${name}, ${precision}, temperature ${temperature}: |ratio - 1| <= ${error}`);
      expect(error).toBeLessThan(bound);
    }
    rollouts.dispose();
    disposeStores(stores);
  });
});
