/**
 * The initial gradient of the backward pass under mixed precision: each token's weight in the loss
 * times the loss scale.
 */
import { mul } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { defineOp } from '../define.ts';
import { at } from '../host.ts';
import code from './scaled_weights.wgsl?raw';

/** weights [N], scale [1] -> scaled [N] = weights * scale. */
export const scaledWeights = defineOp({
  name: 'scaled_weights',
  inputs: ['weights', 'scale'],
  outputs: ['scaled'],
  oracle: ({ weights, scale }, _: object) => ({
    scaled: { ...weights, data: weights.data.map((weight) => weight * at(scale, 0)) },
  }),
  reference: ({ weights, scale }) => ({ scaled: mul(weights, scale) }),
  kernel: ({ weights, scale }) => {
    const scaled = output(weights.shape);
    dispatch({
      name: 'scaled_weights',
      code,
      writes: [scaled],
      reads: [weights, scale],
      params: [['u32', weights.size]],
      workgroups: grid(Math.ceil(weights.size / 64)),
    });
    return { scaled };
  },
  gradient: null,
  bench: ({ N }, inputs) => [
    { attrs: {}, inputs: { weights: inputs.full(1 / N, N), scale: inputs.full(1024, 1) } },
  ],
  cases: [
    {
      name: '70 tokens',
      attrs: {},
      inputs: (random) => ({
        weights: random.normal([70]),
        scale: random.values([1], [1024]),
      }),
    },
  ],
});
