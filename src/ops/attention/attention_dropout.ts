/**
 * `attention` with dropout of the softmax weights, as nanoGPT and GPT-2 train. Which weights are
 * dropped is a function of rng (int32 [4]: seed, step, number of the first sequence, 0; see
 * `dropout`), the site, the global row of (sequence, head, query) and the key, so the gradient
 * draws the same ones again.
 */
import { tensor, type Tensor } from '@tensorflow/tfjs-core';
import {
  type CaseRandom,
  defineOp,
  type HostTensor,
  type OpCase,
  type OpDefinition,
  run,
} from '../define.ts';
import { dropoutMask } from '../dropout/mask.ts';
import { required } from '../gradient.ts';
import { columns } from '../heads/layout.ts';
import type { AttentionDropoutAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle, type Keep } from './oracle.ts';
import { attentionGradReference, attentionReference } from './reference.ts';

function maskOf(
  rng: ArrayLike<number>,
  { B, T, n_head, site, rate }: AttentionDropoutAttrs,
): Float32Array {
  const [seed = 0, step = 0, offset = 0] = Array.from(rng);
  return dropoutMask({
    seed,
    step,
    site,
    rate,
    first_row: offset * n_head * T,
    rows: B * n_head * T,
    columns: T,
  });
}
function hostKeep(rng: HostTensor, a: AttentionDropoutAttrs): Keep {
  const mask = maskOf(rng.data, a);
  const scale = 1 / (1 - a.rate);
  return (b, h, i, j) => (mask[((b * a.n_head + h) * a.T + i) * a.T + j] === 0 ? 0 : scale);
}
/** As in `dropout`: the caller made rng in JavaScript where this runs. */
const keepOf = (rng: Tensor, a: AttentionDropoutAttrs): Tensor =>
  tensor(maskOf(rng.dataSync(), a), [a.B * a.n_head, a.T, a.T]);

const shapes: readonly (AttentionDropoutAttrs & { name: string; rng: readonly number[] })[] = [
  {
    name: 'grouped heads',
    B: 2,
    T: 6,
    n_head: 4,
    n_kv_head: 2,
    head_dim: 4,
    window: 0,
    site: 3,
    rate: 0.4,
    rng: [1337, 12, 6, 0],
  },
  {
    name: 'several tiles, window',
    B: 1,
    T: 40,
    n_head: 1,
    n_kv_head: 1,
    head_dim: 4,
    window: 36,
    site: 12,
    rate: 0.2,
    rng: [2147483647, 99_999_999, 1_000_000, 0],
  },
];
const qkvOf = (random: CaseRandom, a: AttentionDropoutAttrs): HostTensor =>
  random.normal([a.B * a.T, columns(a).width]);

type In = 'qkv' | 'rng';
/**
 * qkv packed (heads/layout.ts) [B T, ...], rng int32 [4] -> y [B T, n_head head_dim], lse [B,
 * n_head, T] (without dropout).
 */
export const attentionDropout: OpDefinition<In, AttentionDropoutAttrs, 'y' | 'lse', 'qkv'> =
  defineOp({
    name: 'attention_dropout',
    inputs: ['qkv', 'rng'],
    outputs: ['y', 'lse'],
    oracle: ({ qkv, rng }, a: AttentionDropoutAttrs) => attentionOracle(qkv, a, hostKeep(rng, a)),
    reference: ({ qkv, rng }, a) => attentionReference(qkv, a, keepOf(rng, a)),
    kernel: ({ qkv, rng }, a) => attentionKernel(qkv, a, { ...a, rng }),
    float16: { inputs: ['qkv'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
    gradient: {
      saves: { inputs: ['qkv', 'rng'], outputs: ['y', 'lse'] },
      from: ['y'],
      to: {
        qkv: ({ inputs: { qkv, rng }, outputs: { y, lse }, attrs, dy }) =>
          run(attentionDropoutGrad, { qkv, y, lse, dy: required(dy.y), rng }, attrs).dqkv,
      },
    },
    cases: shapes.map(({ name, rng, ...attrs }): OpCase<In, AttentionDropoutAttrs> => ({
      name,
      attrs,
      inputs: (random) => ({ qkv: qkvOf(random, attrs), rng: random.values([4], rng, 'int32') }),
    })),
  });

type GradIn = 'qkv' | 'y' | 'lse' | 'dy' | 'rng';
/** Gradient of `attention_dropout`: its inputs, its outputs and dy -> dqkv as qkv. */
export const attentionDropoutGrad: OpDefinition<GradIn, AttentionDropoutAttrs, 'dqkv', never> =
  defineOp({
    name: 'attention_dropout_grad',
    inputs: ['qkv', 'y', 'lse', 'dy', 'rng'],
    outputs: ['dqkv'],
    oracle: ({ rng, ...inputs }, a: AttentionDropoutAttrs) =>
      attentionGradOracle(inputs, a, hostKeep(rng, a)),
    reference: ({ rng, ...inputs }, a) => attentionGradReference(inputs, a, keepOf(rng, a)),
    kernel: ({ rng, ...inputs }, a) => attentionGradKernel(inputs, a, { ...a, rng }),
    float16: { inputs: ['qkv', 'y', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
    gradient: null,
    cases: shapes.map(({ name, rng, ...attrs }): OpCase<GradIn, AttentionDropoutAttrs> => ({
      name,
      attrs,
      inputs: (random) => {
        const qkv = qkvOf(random, attrs);
        const draws = random.values([4], rng, 'int32');
        return {
          qkv,
          ...attentionOracle(qkv, attrs, hostKeep(draws, attrs)),
          dy: random.normal([attrs.B * attrs.T, columns(attrs).q]),
          rng: draws,
        };
      },
    })),
  });
