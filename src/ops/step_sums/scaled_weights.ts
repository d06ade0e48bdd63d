/**
 * Where the backward pass starts from under mixed precision: the tokens' weights in the loss times
 * the loss scale.
 */
import { mul } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { defineOp } from '../define.ts';
import { at } from '../host.ts';

const CODE = `
@group(0) @binding(0) var<storage, read_write> scaled: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
struct Params { n: u32 }
@group(0) @binding(3) var<uniform> p: Params;
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.n) { scaled[i] = weights[i] * scale[0]; }
}`;

/** weights [N], scale [1] -> scaled [N]. */
export const scaledWeights = defineOp({
  name: 'scaled_weights',
  inputs: ['weights', 'scale'],
  outputs: ['scaled'],
  oracle: ({ weights, scale }, _: object) => ({
    scaled: { ...weights, data: weights.data.map((w) => w * at(scale, 0)) },
  }),
  reference: ({ weights, scale }) => ({ scaled: mul(weights, scale) }),
  kernel: ({ weights, scale }) => {
    const scaled = output(weights.shape);
    dispatch({
      name: 'scaled_weights',
      code: CODE,
      writes: [scaled],
      reads: [weights, scale],
      params: [['u32', weights.size]],
      workgroups: grid(Math.ceil(weights.size / 64)),
    });
    return { scaled };
  },
  gradient: null,
  cases: [
    {
      name: '70 tokens',
      attrs: {},
      inputs: (r) => ({ weights: r.normal([70]), scale: r.values([1], [1024]) }),
    },
  ],
});
