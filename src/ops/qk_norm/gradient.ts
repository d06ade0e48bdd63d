/**
 * Gradients of qk_norm. With x' = x s and s = (mean(x^2) + eps)^(-1/2): dx = s (g - x' mean(g x'))
 * where g = dy weight, and dweight = the sum of dy x' over rows and heads.
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
import { type HeadRange, qkNormGradInputKernel, qkNormGradWeightKernel } from './kernels.ts';

interface Attrs extends Heads {
  eps: number;
}
type InputIn = 'qkv' | 'q_weight' | 'k_weight' | 'dy';

/** 1 / sqrt(mean(x^2) + eps) of the head_dim values from `start` on. */
function hostScale(x: HostTensor, start: number, { head_dim, eps }: Attrs): number {
  let squares = 0;
  for (let i = 0; i < head_dim; i++) squares += at(x, start + i) ** 2;
  return 1 / Math.sqrt(squares / head_dim + eps);
}

function inputOracle({ qkv, q_weight, k_weight, dy }: Hosts<InputIn>, attrs: Attrs): Hosts<'dx'> {
  const [n, width] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim: d } = attrs;
  const dx = zeros(qkv.shape);
  dx.data.set(dy.data);
  for (let r = 0; r < n; r++)
    for (let h = 0; h < n_head + n_kv_head; h++) {
      const start = r * width + h * d;
      const weight = h < n_head ? q_weight : k_weight;
      const scale = hostScale(qkv, start, attrs);
      let dot = 0;
      for (let i = 0; i < d; i++)
        dot += at(dy, start + i) * at(weight, i) * at(qkv, start + i) * scale;
      for (let i = 0; i < d; i++) {
        const g = at(dy, start + i) * at(weight, i);
        dx.data[start + i] = scale * (g - at(qkv, start + i) * scale * (dot / d));
      }
    }
  return { dx };
}

/** Heads in the range as [N, heads, head_dim]. */
function headsOf(x: Tensor, { first, count }: HeadRange, { head_dim }: Attrs): Tensor {
  const [n] = dims2(x.shape);
  const part = slice(x, [0, first * head_dim], [n, count * head_dim]);
  return reshape(part, [n, count, head_dim]);
}
const scaleOf = (x: Tensor, { eps }: Attrs): Tensor => rsqrt(add(mean(square(x), 2, true), eps));

/** The query heads, or the key heads. */
export const rangeOf = ({ n_head, n_kv_head }: Attrs, part: 'q' | 'k'): HeadRange =>
  part === 'q' ? { first: 0, count: n_head } : { first: n_head, count: n_kv_head };

function inputReference(
  { qkv, q_weight, k_weight, dy }: Tensors<InputIn>,
  attrs: Attrs,
): Tensors<'dx'> {
  const [n] = dims2(qkv.shape);
  const { v0, kv } = columns(attrs);
  const gradientOf = (part: 'q' | 'k', weight: Tensor): Tensor => {
    const range = rangeOf(attrs, part);
    const x = headsOf(qkv, range, attrs);
    const scale = scaleOf(x, attrs);
    const normalised = mul(x, scale);
    const g = mul(headsOf(dy, range, attrs), weight);
    const dx = mul(scale, sub(g, mul(normalised, mean(mul(g, normalised), 2, true))));
    return reshape(dx, [n, range.count * attrs.head_dim]);
  };
  const dv = slice(dy, [0, v0], [n, kv]);
  return { dx: concat([gradientOf('q', q_weight), gradientOf('k', k_weight), dv], 1) };
}

/** Gradient of qkv: the inputs of qk_norm and dy -> dx, laid out as qkv. */
export const qkNormGradInput: OpDefinition<InputIn, Attrs, 'dx', never> = defineOp({
  name: 'qk_norm_grad_input',
  inputs: ['qkv', 'q_weight', 'k_weight', 'dy'],
  outputs: ['dx'],
  oracle: inputOracle,
  reference: inputReference,
  kernel: qkNormGradInputKernel,
  float16: { inputs: ['qkv', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
  gradient: null,
  bench: ({ N, D, n_head, head_dim }, inputs) => [
    {
      attrs: { n_head, n_kv_head: n_head, head_dim, eps: 1e-6 },
      inputs: {
        qkv: inputs.normal(N, 3 * D),
        q_weight: inputs.normal(head_dim),
        k_weight: inputs.normal(head_dim),
        dy: inputs.normal(N, 3 * D),
      },
    },
  ],
  cases: [
    {
      name: 'grouped heads',
      inputs: (random) => ({
        qkv: random.normal([5, 32]),
        q_weight: random.normal([4]),
        k_weight: random.normal([4]),
        dy: random.normal([5, 32]),
      }),
      attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6 },
    },
    {
      name: 'odd head_dim',
      inputs: (random) => ({
        qkv: random.normal([7, 15]),
        q_weight: random.normal([5]),
        k_weight: random.normal([5]),
        dy: random.normal([7, 15]),
      }),
      attrs: { n_head: 1, n_kv_head: 1, head_dim: 5, eps: 1e-5 },
    },
  ],
});

interface WeightAttrs extends Attrs {
  part: 'q' | 'k';
}

function weightOracle({ qkv, dy }: Hosts<'qkv' | 'dy'>, attrs: WeightAttrs): Hosts<'dweight'> {
  const [n, width] = dims2(qkv.shape);
  const d = attrs.head_dim;
  const dweight = zeros([d]);
  const { first, count } = rangeOf(attrs, attrs.part);
  for (let r = 0; r < n; r++)
    for (let h = first; h < first + count; h++) {
      const start = r * width + h * d;
      const scale = hostScale(qkv, start, attrs);
      for (let i = 0; i < d; i++)
        dweight.data[i] = at(dweight, i) + at(dy, start + i) * at(qkv, start + i) * scale;
    }
  return { dweight };
}

function weightReference(
  { qkv, dy }: Tensors<'qkv' | 'dy'>,
  attrs: WeightAttrs,
): Tensors<'dweight'> {
  const range = rangeOf(attrs, attrs.part);
  const x = headsOf(qkv, range, attrs);
  const normalised = mul(x, scaleOf(x, attrs));
  return { dweight: sum(mul(headsOf(dy, range, attrs), normalised), [0, 1]) };
}

/**
 * Gradient of one weight, summed over rows and the heads of its part: qkv, dy -> dweight
 * [head_dim], which can accumulate into a buffer.
 */
export const qkNormGradWeight: OpDefinition<'qkv' | 'dy', WeightAttrs, 'dweight', never> = defineOp(
  {
    name: 'qk_norm_grad_weight',
    inputs: ['qkv', 'dy'],
    outputs: ['dweight'],
    oracle: weightOracle,
    reference: weightReference,
    kernel: (inputs, attrs, into) =>
      qkNormGradWeightKernel(inputs, attrs, rangeOf(attrs, attrs.part), into.dweight),
    accumulates: ['dweight'],
    float16: { inputs: ['qkv', 'dy'], when: (_inputs, { head_dim }) => head_dim % 4 === 0 },
    gradient: null,
    bench: ({ N, D, n_head, head_dim }, inputs) => [
      {
        attrs: { n_head, n_kv_head: n_head, head_dim, eps: 1e-6, part: 'q' },
        inputs: { qkv: inputs.normal(N, 3 * D), dy: inputs.normal(N, 3 * D) },
      },
    ],
    cases: [
      {
        name: 'q, grouped heads',
        inputs: (random) => ({ qkv: random.normal([5, 32]), dy: random.normal([5, 32]) }),
        attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6, part: 'q' },
      },
      {
        name: 'k, grouped heads',
        inputs: (random) => ({ qkv: random.normal([5, 32]), dy: random.normal([5, 32]) }),
        attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, eps: 1e-6, part: 'k' },
      },
      {
        name: 'k, odd head_dim, many rows',
        inputs: (random) => ({ qkv: random.normal([70, 15]), dy: random.normal([70, 15]) }),
        attrs: { n_head: 1, n_kv_head: 1, head_dim: 5, eps: 1e-5, part: 'k' },
      },
    ],
  },
);
