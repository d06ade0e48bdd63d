/**
 * RMS norm of every q and k head of a packed qkv over its head_dim values; v is copied: y = x /
 * sqrt(mean(x^2) + eps) weight, with one weight for all q heads and one for all k heads (Qwen3; the
 * idea is from Henry et al. 2020).
 */
import {
  add,
  concat,
  mean,
  mul,
  reshape,
  rsqrt,
  slice,
  square,
  type Tensor,
} from '@tensorflow/tfjs-core';
import {
  defineOp,
  run,
  type GradientContext,
  type Hosts,
  type OpDefinition,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { columns, type Heads } from '../heads/layout.ts';
import { at, dims2, zeros } from '../host.ts';
import { qkNormGradInput, qkNormGradWeight } from './gradient.ts';
import { qkNormKernel } from './kernels.ts';

export interface QkNormAttrs extends Heads {
  eps: number;
}
type In = 'qkv' | 'q_weight' | 'k_weight';

function oracle({ qkv, q_weight, k_weight }: Hosts<In>, attrs: QkNormAttrs): Hosts<'y'> {
  const [n, width] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim: d, eps } = attrs;
  const y = zeros(qkv.shape);
  y.data.set(qkv.data);
  for (let r = 0; r < n; r++)
    for (let h = 0; h < n_head + n_kv_head; h++) {
      const start = r * width + h * d;
      const weight = h < n_head ? q_weight : k_weight;
      let squares = 0;
      for (let i = 0; i < d; i++) squares += at(qkv, start + i) ** 2;
      const scale = 1 / Math.sqrt(squares / d + eps);
      for (let i = 0; i < d; i++) y.data[start + i] = at(qkv, start + i) * scale * at(weight, i);
    }
  return { y };
}

function reference({ qkv, q_weight, k_weight }: Tensors<In>, attrs: QkNormAttrs): Tensors<'y'> {
  const [n] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim, eps } = attrs;
  const { k0, v0, kv } = columns(attrs);
  const normalise = (start: number, heads: number, weight: Tensor): Tensor => {
    const part = slice(qkv, [0, start], [n, heads * head_dim]);
    const x = reshape(part, [n, heads, head_dim]);
    const scale = rsqrt(add(mean(square(x), 2, true), eps));
    return reshape(mul(mul(x, scale), weight), [n, heads * head_dim]);
  };
  const q = normalise(0, n_head, q_weight);
  const k = normalise(k0, n_kv_head, k_weight);
  return { y: concat([q, k, slice(qkv, [0, v0], [n, kv])], 1) };
}

function weightGradient(
  { inputs: { qkv }, attrs, dy, into: buffers }: GradientContext<In, QkNormAttrs, 'y'>,
  part: 'q' | 'k',
): Tensor {
  const into = { dweight: buffers[`${part}_weight`] };
  return run(qkNormGradWeight, { qkv, dy: required(dy.y) }, { ...attrs, part }, into).dweight;
}

/**
 * qkv packed (heads/layout.ts) [N, (n_head + 2 n_kv_head) head_dim], q_weight and k_weight
 * [head_dim] -> y, laid out as qkv. The gradients of the weights accumulate into buffers.
 */
export const qkNorm: OpDefinition<In, QkNormAttrs, 'y', In> = defineOp({
  name: 'qk_norm',
  inputs: ['qkv', 'q_weight', 'k_weight'],
  outputs: ['y'],
  oracle,
  reference,
  kernel: qkNormKernel,
  float16: { inputs: ['qkv'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
  gradient: {
    saves: { inputs: ['qkv', 'q_weight', 'k_weight'], outputs: [] },
    from: ['y'],
    to: {
      qkv: ({ inputs, attrs, dy }) =>
        run(qkNormGradInput, { ...inputs, dy: required(dy.y) }, attrs).dx,
      q_weight: (context) => weightGradient(context, 'q'),
      k_weight: (context) => weightGradient(context, 'k'),
    },
  },
  bench: ({ N, D, n_head, head_dim }, inputs) => [
    {
      attrs: { n_head, n_kv_head: n_head, head_dim, eps: 1e-6 },
      inputs: {
        qkv: inputs.normal(N, 3 * D),
        q_weight: inputs.normal(head_dim),
        k_weight: inputs.normal(head_dim),
      },
    },
  ],
  cases: [
    {
      name: 'grouped heads',
      inputs: (random) => ({
        qkv: random.normal([5, 8 * 4]),
        q_weight: random.normal([4], 0.3, 1),
        k_weight: random.normal([4], 0.3, 1),
      }),
      attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6 },
    },
    {
      name: 'odd head_dim, one head',
      inputs: (random) => ({
        qkv: random.normal([7, 15]),
        q_weight: random.normal([5], 0.3, 1),
        k_weight: random.normal([5], 0.3, 1),
      }),
      attrs: { n_head: 1, n_kv_head: 1, head_dim: 5, eps: 1e-5 },
    },
  ],
});
