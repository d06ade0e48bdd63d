/**
 * Gradients of qk_norm. With x^ = x s and s = (mean(x^2) + eps)^(-1/2):
 * dx = s (g - x^ mean(g x^)), g = dy weight, and dweight = sum over rows and heads of dy x^.
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
  sub,
  sum,
  type Tensor,
} from '@tensorflow/tfjs-core';
import {
  defineOp,
  type HostTensor,
  type Hosts,
  type OpDefinition,
  type Tensors,
} from '../define.ts';
import { columns, type Heads } from '../heads/layout.ts';
import { at, dims2, zeros } from '../host.ts';
import { qkNormGradInputKernel, qkNormGradWeightKernel } from './kernels.ts';

interface Attrs extends Heads {
  eps: number;
}
type InputIn = 'qkv' | 'q_weight' | 'k_weight' | 'dy';

/** 1 / sqrt(mean(x^2) + eps) of the head_dim values from `start` on. */
function hostScale(x: HostTensor, start: number, a: Attrs): number {
  let squares = 0;
  for (let i = 0; i < a.head_dim; i++) squares += at(x, start + i) ** 2;
  return 1 / Math.sqrt(squares / a.head_dim + a.eps);
}

function inputOracle({ qkv, q_weight, k_weight, dy }: Hosts<InputIn>, a: Attrs): Hosts<'dx'> {
  const [n, width] = dims2(qkv.shape);
  const d = a.head_dim;
  const dx = zeros(qkv.shape);
  dx.data.set(dy.data);
  for (let r = 0; r < n; r++)
    for (let h = 0; h < a.n_head + a.n_kv_head; h++) {
      const start = r * width + h * d;
      const weight = h < a.n_head ? q_weight : k_weight;
      const scale = hostScale(qkv, start, a);
      let dot = 0;
      for (let i = 0; i < d; i++)
        dot += at(dy, start + i) * at(weight, i) * at(qkv, start + i) * scale;
      for (let i = 0; i < d; i++)
        dx.data[start + i] =
          scale * (at(dy, start + i) * at(weight, i) - at(qkv, start + i) * scale * (dot / d));
    }
  return { dx };
}

/** Heads of one part as [N, heads, head_dim]. */
function heads(x: Tensor, start: number, count: number, a: Attrs): Tensor {
  const [n] = dims2(x.shape);
  return reshape(slice(x, [0, start], [n, count * a.head_dim]), [n, count, a.head_dim]);
}
const scaleOf = (x: Tensor, a: Attrs): Tensor => rsqrt(add(mean(square(x), 2, true), a.eps));

function inputReference(
  { qkv, q_weight, k_weight, dy }: Tensors<InputIn>,
  a: Attrs,
): Tensors<'dx'> {
  const [n] = dims2(qkv.shape);
  const { k0, v0, kv } = columns(a);
  const part = (start: number, count: number, weight: Tensor): Tensor => {
    const x = heads(qkv, start, count, a);
    const scale = scaleOf(x, a);
    const normal = mul(x, scale);
    const g = mul(heads(dy, start, count, a), weight);
    const dx = mul(scale, sub(g, mul(normal, mean(mul(g, normal), 2, true))));
    return reshape(dx, [n, count * a.head_dim]);
  };
  return {
    dx: concat(
      [part(0, a.n_head, q_weight), part(k0, a.n_kv_head, k_weight), slice(dy, [0, v0], [n, kv])],
      1,
    ),
  };
}

/** Gradient of qkv: inputs of qk_norm and dy -> dx as qkv. */
export const qkNormGradInput: OpDefinition<InputIn, Attrs, 'dx', never> = defineOp({
  name: 'qk_norm_grad_input',
  inputs: ['qkv', 'q_weight', 'k_weight', 'dy'],
  outputs: ['dx'],
  oracle: inputOracle,
  reference: inputReference,
  kernel: qkNormGradInputKernel,
  float16: { inputs: ['qkv', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
  gradient: null,
  cases: [
    {
      name: 'grouped heads',
      inputs: (r) => ({
        qkv: r.normal([5, 32]),
        q_weight: r.normal([4]),
        k_weight: r.normal([4]),
        dy: r.normal([5, 32]),
      }),
      attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6 },
    },
    {
      name: 'odd head_dim',
      inputs: (r) => ({
        qkv: r.normal([7, 15]),
        q_weight: r.normal([5]),
        k_weight: r.normal([5]),
        dy: r.normal([7, 15]),
      }),
      attrs: { n_head: 1, n_kv_head: 1, head_dim: 5, eps: 1e-5 },
    },
  ],
});

interface WeightAttrs extends Attrs {
  part: 'q' | 'k';
}
const partOf = (a: WeightAttrs): { first: number; count: number } =>
  a.part === 'q' ? { first: 0, count: a.n_head } : { first: a.n_head, count: a.n_kv_head };

function weightOracle({ qkv, dy }: Hosts<'qkv' | 'dy'>, a: WeightAttrs): Hosts<'dweight'> {
  const [n, width] = dims2(qkv.shape);
  const d = a.head_dim;
  const dweight = zeros([d]);
  const { first, count } = partOf(a);
  for (let r = 0; r < n; r++)
    for (let h = first; h < first + count; h++) {
      const start = r * width + h * d;
      const scale = hostScale(qkv, start, a);
      for (let i = 0; i < d; i++)
        dweight.data[i] = at(dweight, i) + at(dy, start + i) * at(qkv, start + i) * scale;
    }
  return { dweight };
}

function weightReference({ qkv, dy }: Tensors<'qkv' | 'dy'>, a: WeightAttrs): Tensors<'dweight'> {
  const { first, count } = partOf(a);
  const start = first * a.head_dim;
  const x = heads(qkv, start, count, a);
  return { dweight: sum(mul(heads(dy, start, count, a), mul(x, scaleOf(x, a))), [0, 1]) };
}

/**
 * Gradient of one weight, summed over the rows and the heads of its part: qkv, dy -> dweight
 * [head_dim].
 */
export const qkNormGradWeight: OpDefinition<'qkv' | 'dy', WeightAttrs, 'dweight', never> = defineOp(
  {
    name: 'qk_norm_grad_weight',
    inputs: ['qkv', 'dy'],
    outputs: ['dweight'],
    oracle: weightOracle,
    reference: weightReference,
    kernel: (inputs, a, into) => qkNormGradWeightKernel(inputs, a, partOf(a), into.dweight),
    accumulates: ['dweight'],
    float16: { inputs: ['qkv', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
    gradient: null,
    cases: [
      {
        name: 'q, grouped heads',
        inputs: (r) => ({ qkv: r.normal([5, 32]), dy: r.normal([5, 32]) }),
        attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6, part: 'q' },
      },
      {
        name: 'k, grouped heads',
        inputs: (r) => ({ qkv: r.normal([5, 32]), dy: r.normal([5, 32]) }),
        attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6, part: 'k' },
      },
      {
        name: 'k, odd head_dim, many rows',
        inputs: (r) => ({ qkv: r.normal([70, 15]), dy: r.normal([70, 15]) }),
        attrs: { n_head: 1, n_kv_head: 1, head_dim: 5, eps: 1e-5, part: 'k' },
      },
    ],
  },
);
