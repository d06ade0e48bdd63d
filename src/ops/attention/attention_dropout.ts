/**
 * `attention` with dropout of the softmax weights, as GPT-2 and nanoGPT train. The mask is a
 * function of rng (dropout_mask.ts), so the gradient recomputes it.
 */
import { defineOp, type OpCase, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import type { AttentionDropoutAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { float16When, randomGradInputs, randomQkv } from './cases.ts';
import { hostKeep, keepTensor } from './dropout_mask.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle } from './oracle.ts';
import { attentionGradReference, attentionReference } from './reference.ts';
import { benchDropoutAttrs, benchFlops, benchGradInputs, benchQkv, benchRng } from './bench.ts';

interface Shape {
  name: string;
  rng: readonly number[];
  attrs: AttentionDropoutAttrs;
}
const shapes: readonly Shape[] = [
  {
    name: 'grouped heads',
    rng: [1337, 12, 6, 0],
    attrs: { B: 2, T: 6, n_head: 4, n_kv_head: 2, head_dim: 4, window: 0, site: 3, rate: 0.4 },
  },
  {
    name: 'several tiles, window',
    rng: [2147483647, 99_999_999, 1_000_000, 0],
    attrs: { B: 1, T: 40, n_head: 1, n_kv_head: 1, head_dim: 4, window: 36, site: 12, rate: 0.2 },
  },
  {
    name: 'heads 2 and 3 of 6',
    rng: [1337, 12, 6, 0],
    attrs: {
      ...{ B: 2, T: 5, n_head: 2, n_kv_head: 1, head_dim: 4, window: 0 },
      ...{ site: 3, rate: 0.4, heads: { first: 2, count: 6 } },
    },
  },
];

type In = 'qkv' | 'rng';
/**
 * qkv packed (heads/layout.ts) [B T, (n_head + 2 n_kv_head) head_dim], rng int32 [4] -> y [B T,
 * n_head head_dim], lse [B, n_head, T] (of the weights before dropout).
 */
export const attentionDropout: OpDefinition<In, AttentionDropoutAttrs, 'y' | 'lse', 'qkv'> =
  defineOp({
    name: 'attention_dropout',
    inputs: ['qkv', 'rng'],
    outputs: ['y', 'lse'],
    oracle: ({ qkv, rng }, attrs: AttentionDropoutAttrs) =>
      attentionOracle(qkv, attrs, { keep: hostKeep(rng, attrs) }),
    reference: ({ qkv, rng }, attrs) =>
      attentionReference(qkv, attrs, { keep: keepTensor(rng, attrs) }),
    kernel: ({ qkv, rng }, attrs) => attentionKernel(qkv, attrs, { drop: { ...attrs, rng } }),
    float16: { inputs: ['qkv'], when: float16When },
    gradient: {
      saves: { inputs: ['qkv', 'rng'], outputs: ['y', 'lse'] },
      from: ['y'],
      to: {
        qkv: ({ inputs: { qkv, rng }, outputs: { y, lse }, attrs, dy }) =>
          run(attentionDropoutGrad, { qkv, y, lse, dy: required(dy.y), rng }, attrs).dqkv,
      },
    },
    bench: (sizes, inputs) => [
      {
        attrs: benchDropoutAttrs(sizes),
        inputs: { qkv: benchQkv(sizes, inputs), rng: benchRng(inputs) },
        flops: benchFlops(sizes),
      },
    ],
    cases: shapes.map(({ name, rng, attrs }): OpCase<In, AttentionDropoutAttrs> => ({
      name,
      attrs,
      inputs: (random) => ({
        qkv: randomQkv(random, attrs),
        rng: random.values([4], rng, 'int32'),
      }),
    })),
  });

type GradIn = 'qkv' | 'y' | 'lse' | 'dy' | 'rng';
/** Gradient of `attention_dropout`: its inputs, its outputs and dy -> dqkv, laid out as qkv. */
export const attentionDropoutGrad: OpDefinition<GradIn, AttentionDropoutAttrs, 'dqkv', never> =
  defineOp({
    name: 'attention_dropout_grad',
    inputs: ['qkv', 'y', 'lse', 'dy', 'rng'],
    outputs: ['dqkv'],
    oracle: ({ rng, ...inputs }, attrs: AttentionDropoutAttrs) =>
      attentionGradOracle(inputs, attrs, { keep: hostKeep(rng, attrs) }),
    reference: ({ rng, ...inputs }, attrs) =>
      attentionGradReference(inputs, attrs, { keep: keepTensor(rng, attrs) }),
    kernel: ({ rng, ...inputs }, attrs) =>
      attentionGradKernel(inputs, attrs, { drop: { ...attrs, rng } }),
    float16: { inputs: ['qkv', 'y', 'dy'], when: float16When },
    gradient: null,
    bench: (sizes, inputs) => [
      {
        attrs: benchDropoutAttrs(sizes),
        inputs: { ...benchGradInputs(sizes, inputs), rng: benchRng(inputs) },
        flops: 2.5 * benchFlops(sizes),
      },
    ],
    cases: shapes.map(({ name, rng, attrs }): OpCase<GradIn, AttentionDropoutAttrs> => ({
      name,
      attrs,
      inputs: (random) => {
        const draws = random.values([4], rng, 'int32');
        return {
          ...randomGradInputs(random, attrs, { keep: hostKeep(draws, attrs) }),
          rng: draws,
        };
      },
    })),
  });
