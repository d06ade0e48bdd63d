/**
 * Causal scaled dot-product attention over packed heads, with grouped queries and an optional
 * sliding window. The kernel keeps no [T, T] matrix (FlashAttention, Dao et al. 2022 and 2023);
 * `lse`, the log of each row's softmax sum, is what its gradient needs to make the weights again.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { storageOf } from '../../backend/index.ts';
import { defineOp, run, type OpCase, type OpDefinition } from '../define.ts';
import { required } from '../gradient.ts';
import { columns } from '../heads/layout.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { attentionKernel } from './forward.ts';
import { subgroupAttention } from '../matmul/choices.ts';
import { attentionGradOracle, attentionOracle, keepAll } from './oracle.ts';
import { attentionGradReference, attentionReference } from './reference.ts';
import { subgroupAttentionFits } from './subgroup.ts';
import { attentionGradSubgroupKernel, attentionSubgroupKernel } from './subgroup_kernels.ts';

/** Attention by subgroup matrices takes everything in halves. */
const bySubgroups = (a: AttentionAttrs, ...all: readonly Tensor[]): boolean =>
  subgroupAttention() && subgroupAttentionFits(a) && all.every((t) => storageOf(t) === 'float16');

type Shape = AttentionAttrs & { name: string };
/**
 * Shapes that the kernels must get right: grouped heads, windows, tails of a tile, head_dim no
 * multiple of 4.
 */
const shapes: readonly Shape[] = [
  { name: 'equal heads', B: 2, T: 5, n_head: 2, n_kv_head: 2, head_dim: 4, window: 0 },
  { name: 'grouped heads', B: 2, T: 6, n_head: 4, n_kv_head: 2, head_dim: 4, window: 0 },
  {
    name: 'one kv head, odd head_dim',
    B: 1,
    T: 7,
    n_head: 3,
    n_kv_head: 1,
    head_dim: 5,
    window: 0,
  },
  { name: 'window', B: 1, T: 9, n_head: 2, n_kv_head: 1, head_dim: 4, window: 3 },
  { name: 'several tiles', B: 1, T: 34, n_head: 1, n_kv_head: 1, head_dim: 4, window: 0 },
  {
    name: 'several chunks of head_dim',
    B: 1,
    T: 3,
    n_head: 1,
    n_kv_head: 1,
    head_dim: 36,
    window: 0,
  },
  { name: 'window of one', B: 1, T: 4, n_head: 1, n_kv_head: 1, head_dim: 4, window: 1 },
];
/** Longer ones, which finite differences would take too long over. */
const longShapes: readonly Shape[] = [
  {
    name: 'three tiles, grouped heads',
    B: 1,
    T: 70,
    n_head: 2,
    n_kv_head: 1,
    head_dim: 4,
    window: 0,
  },
  { name: 'window over tiles', B: 1, T: 70, n_head: 1, n_kv_head: 1, head_dim: 4, window: 20 },
];

/** qkv packed (heads/layout.ts) [B T, ...] -> y [B T, n_head head_dim], lse [B, n_head, T]. */
export const attention: OpDefinition<'qkv', AttentionAttrs, 'y' | 'lse', 'qkv'> = defineOp({
  name: 'attention',
  inputs: ['qkv'],
  outputs: ['y', 'lse'],
  oracle: ({ qkv }, a: AttentionAttrs) => attentionOracle(qkv, a, keepAll),
  reference: ({ qkv }, a) => attentionReference(qkv, a),
  kernel: ({ qkv }, a) => (bySubgroups(a, qkv) ? attentionSubgroupKernel : attentionKernel)(qkv, a),
  float16: { inputs: ['qkv'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
  gradient: {
    saves: { inputs: ['qkv'], outputs: ['y', 'lse'] },
    from: ['y'],
    to: {
      qkv: ({ inputs: { qkv }, outputs: { y, lse }, attrs, dy }) =>
        run(attentionGrad, { qkv, y, lse, dy: required(dy.y) }, attrs).dqkv,
    },
  },
  cases: shapes.map(({ name, ...attrs }): OpCase<'qkv', AttentionAttrs> => ({
    name,
    attrs,
    inputs: (random) => ({ qkv: random.normal([attrs.B * attrs.T, columns(attrs).width]) }),
  })),
});

/** Gradient of `attention`: its input, its outputs and dy -> dqkv as qkv. */
export const attentionGrad: OpDefinition<
  'qkv' | 'y' | 'lse' | 'dy',
  AttentionAttrs,
  'dqkv',
  never
> = defineOp({
  name: 'attention_grad',
  inputs: ['qkv', 'y', 'lse', 'dy'],
  outputs: ['dqkv'],
  oracle: (inputs, a: AttentionAttrs) => attentionGradOracle(inputs, a, keepAll),
  reference: (inputs, a) => attentionGradReference(inputs, a),
  kernel: (inputs, a) =>
    (bySubgroups(a, inputs.qkv, inputs.y, inputs.dy)
      ? attentionGradSubgroupKernel
      : attentionGradKernel)(inputs, a),
  float16: { inputs: ['qkv', 'y', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
  gradient: null,
  cases: [...shapes, ...longShapes].map(
    ({ name, ...attrs }): OpCase<'qkv' | 'y' | 'lse' | 'dy', AttentionAttrs> => ({
      name,
      attrs,
      inputs: (random) => {
        // y and lse are those of this qkv: the kernel makes the weights again from lse.
        const qkv = random.normal([attrs.B * attrs.T, columns(attrs).width]);
        return {
          qkv,
          ...attentionOracle(qkv, attrs, keepAll),
          dy: random.normal([attrs.B * attrs.T, columns(attrs).q]),
        };
      },
    }),
  ),
});
