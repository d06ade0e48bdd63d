/**
 * Causal scaled dot-product attention over packed heads, with grouped queries and an optional
 * sliding window. The kernel never stores a [T, T] matrix (FlashAttention, Dao et al. 2022 and
 * 2023); its gradient recomputes the softmax weights from `lse`, the log-sum-exp of each row.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { storageOf } from '../../backend/index.ts';
import { defineOp, type OpCase, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { subgroupAttention } from '../matmul/choices.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { float16When, randomGradInputs, randomQkv } from './cases.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle } from './oracle.ts';
import { attentionGradReference, attentionReference } from './reference.ts';
import { subgroupAttentionFits } from './subgroup_fragments.ts';
import { attentionGradSubgroupKernel, attentionSubgroupKernel } from './subgroup_kernels.ts';
import { benchAttrs, benchFlops, benchGradInputs, benchQkv } from './bench.ts';

/** Whether to use subgroup matrices, which need all activations in float16. */
export const usesSubgroups = (attrs: AttentionAttrs, ...activations: readonly Tensor[]): boolean =>
  subgroupAttention() &&
  subgroupAttentionFits(attrs) &&
  activations.every((tensor) => storageOf(tensor) === 'float16');

type Shape = AttentionAttrs & { name: string };
const one = { B: 1, n_head: 1, n_kv_head: 1, head_dim: 4, window: 0 };
/** Grouped heads, windows, partial tiles, and a head_dim that is not a multiple of 4. */
const shapes: readonly Shape[] = [
  { ...one, name: 'equal heads', B: 2, T: 5, n_head: 2, n_kv_head: 2 },
  { ...one, name: 'grouped heads', B: 2, T: 6, n_head: 4, n_kv_head: 2 },
  { ...one, name: 'one kv head, odd head_dim', T: 7, n_head: 3, head_dim: 5 },
  { ...one, name: 'window', T: 9, n_head: 2, window: 3 },
  { ...one, name: 'several tiles', T: 34 },
  { ...one, name: 'several chunks of head_dim', T: 3, head_dim: 36 },
  { ...one, name: 'window of one', T: 4, window: 1 },
  { ...one, name: 'head_dim a multiple of eight', T: 10, n_head: 2, head_dim: 8 },
];
/** Shapes that finite differences would take too long for. */
const longShapes: readonly Shape[] = [
  { ...one, name: 'three tiles, grouped heads', T: 70, n_head: 2 },
  { ...one, name: 'window over tiles', T: 70, window: 20 },
];

/**
 * qkv packed (heads/layout.ts) [B T, (n_head + 2 n_kv_head) head_dim] -> y [B T, n_head head_dim],
 * lse [B, n_head, T].
 */
export const attention: OpDefinition<'qkv', AttentionAttrs, 'y' | 'lse', 'qkv'> = defineOp({
  name: 'attention',
  inputs: ['qkv'],
  outputs: ['y', 'lse'],
  oracle: ({ qkv }, attrs: AttentionAttrs) => attentionOracle(qkv, attrs),
  reference: ({ qkv }, attrs) => attentionReference(qkv, attrs),
  kernel: ({ qkv }, attrs) =>
    usesSubgroups(attrs, qkv) ? attentionSubgroupKernel(qkv, attrs) : attentionKernel(qkv, attrs),
  float16: { inputs: ['qkv'], when: float16When },
  gradient: {
    saves: { inputs: ['qkv'], outputs: ['y', 'lse'] },
    from: ['y'],
    to: {
      qkv: ({ inputs: { qkv }, outputs: { y, lse }, attrs, dy }) =>
        run(attentionGrad, { qkv, y, lse, dy: required(dy.y) }, attrs).dqkv,
    },
  },
  bench: (sizes, inputs) => [
    {
      attrs: benchAttrs(sizes),
      inputs: { qkv: benchQkv(sizes, inputs) },
      flops: benchFlops(sizes),
    },
  ],
  cases: shapes.map(({ name, ...attrs }): OpCase<'qkv', AttentionAttrs> => ({
    name,
    attrs,
    inputs: (random) => ({ qkv: randomQkv(random, attrs) }),
  })),
});

type GradIn = 'qkv' | 'y' | 'lse' | 'dy';
/** Gradient of `attention`: its input, its outputs and dy -> dqkv, laid out as qkv. */
export const attentionGrad: OpDefinition<GradIn, AttentionAttrs, 'dqkv', never> = defineOp({
  name: 'attention_grad',
  inputs: ['qkv', 'y', 'lse', 'dy'],
  outputs: ['dqkv'],
  oracle: (inputs, attrs: AttentionAttrs) => attentionGradOracle(inputs, attrs),
  reference: (inputs, attrs) => attentionGradReference(inputs, attrs),
  kernel: (inputs, attrs) =>
    usesSubgroups(attrs, inputs.qkv, inputs.y, inputs.dy)
      ? attentionGradSubgroupKernel(inputs, attrs)
      : attentionGradKernel(inputs, attrs),
  float16: { inputs: ['qkv', 'y', 'dy'], when: float16When },
  gradient: null,
  bench: (sizes, inputs) => [
    {
      attrs: benchAttrs(sizes),
      inputs: { ...benchGradInputs(sizes, inputs) },
      flops: 2.5 * benchFlops(sizes),
    },
  ],
  cases: [...shapes, ...longShapes].map(({ name, ...attrs }): OpCase<GradIn, AttentionAttrs> => ({
    name,
    attrs,
    inputs: (random) => randomGradInputs(random, attrs),
  })),
});
