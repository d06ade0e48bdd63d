/**
 * y = x W (+ b) (+ residual), with W stored [in, out] as in GPT-2's Conv1D. Bias and residual are
 * added in the epilogue of the matmul. The gradient of the residual is dy itself, the same tensor.
 */
import { add, matMul, type Tensor } from '@tensorflow/tfjs-core';
import {
  type CaseRandom,
  defineOp,
  type GradientContext,
  type HostTensor,
  type OpDefinition,
  perNode,
  run,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { matmulKernel } from '../matmul/kernel.ts';
import { runMatmul } from '../matmul/matmul.ts';
import { linearBiasGrad } from './linear_grad.ts';

/** No attributes: the shapes determine everything. */
export type LinearAttrs = Record<string, never>;

/** x W + bias + residual in float64: the oracle of `linear`, and part of the oracle of `mlp`. */
export function linearOracle(
  x: HostTensor,
  weight: HostTensor,
  bias?: HostTensor,
  residual?: HostTensor,
): HostTensor {
  const [n, inner] = dims2(x.shape);
  const [, out] = dims2(weight.shape);
  const y = zeros([n, out]);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < out; j++) {
      let sum = (bias ? at(bias, j) : 0) + (residual ? at(residual, i * out + j) : 0);
      for (let k = 0; k < inner; k++) sum += at(x, i * inner + k) * at(weight, k * out + j);
      y.data[i * out + j] = sum;
    }
  return y;
}

type Context = GradientContext<'x' | 'weight', LinearAttrs, 'y'>;
type BiasContext = GradientContext<'x' | 'weight' | 'bias', LinearAttrs, 'y'>;

/** dx = dy W^T and dW = x^T dy. */
const gradientTo = {
  x: ({ inputs, dy, into }: Context) =>
    runMatmul(required(dy.y), inputs.weight, { transpose_b: true, into: into.x }),
  weight: ({ inputs, dy, into }: Context) =>
    runMatmul(inputs.x, required(dy.y), { transpose_a: true, into: into.weight }),
};
const parameterGradients = perNode(({ inputs: { x }, dy, into }: BiasContext) =>
  run(linearBiasGrad, { x, dy: required(dy.y) }, {}, { weight: into.weight, bias: into.bias }),
);
const biasGradientTo = {
  x: gradientTo.x,
  weight: (context: BiasContext) => parameterGradients(context).weight,
  bias: (context: BiasContext) => parameterGradients(context).bias,
};
const residualGradient = ({ dy }: { dy: { y?: Tensor } }): Tensor => required(dy.y);

const saves = { inputs: ['x', 'weight'], outputs: [] } as const;
const SIZES = [
  { name: 'odd sizes', n: 5, inner: 7, out: 3 },
  { name: 'rows of four', n: 8, inner: 4, out: 12 },
] as const;
type Size = (typeof SIZES)[number];
const xAndWeight = (random: CaseRandom, { n, inner, out }: Size) => ({
  x: random.normal([n, inner]),
  weight: random.normal([inner, out]),
});

/** x [N, in], weight [in, out] -> y [N, out]. */
export const linear: OpDefinition<'x' | 'weight', LinearAttrs, 'y', 'x' | 'weight'> = defineOp({
  name: 'linear',
  inputs: ['x', 'weight'],
  outputs: ['y'],
  oracle: ({ x, weight }, _attrs: LinearAttrs) => ({ y: linearOracle(x, weight) }),
  reference: ({ x, weight }) => ({ y: matMul(x, weight) }),
  kernel: ({ x, weight }) => ({ y: matmulKernel(x, weight) }),
  float16: { inputs: ['x', 'weight'] },
  gradient: { saves, from: ['y'], to: gradientTo },
  bench: ({ N, D, F }, inputs) => [
    {
      attrs: {},
      inputs: { x: inputs.normal(N, D), weight: inputs.normal(D, F) },
      flops: 2 * N * D * F,
    },
  ],
  cases: SIZES.map((size) => ({
    name: size.name,
    attrs: {},
    inputs: (random) => xAndWeight(random, size),
  })),
});

/** x [N, in], weight [in, out], bias [out] -> y [N, out]. */
export const linearBias: OpDefinition<
  'x' | 'weight' | 'bias',
  LinearAttrs,
  'y',
  'x' | 'weight' | 'bias'
> = defineOp({
  name: 'linear_bias',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y'],
  oracle: ({ x, weight, bias }, _attrs: LinearAttrs) => ({ y: linearOracle(x, weight, bias) }),
  reference: ({ x, weight, bias }) => ({ y: add(matMul(x, weight), bias) }),
  kernel: ({ x, weight, bias }) => ({ y: matmulKernel(x, weight, { bias }) }),
  float16: { inputs: ['x', 'weight'] },
  gradient: { saves, from: ['y'], to: biasGradientTo },
  bench: ({ N, D }, inputs) => [
    {
      attrs: {},
      inputs: {
        x: inputs.normal(N, D),
        weight: inputs.normal(D, 3 * D),
        bias: inputs.normal(3 * D),
      },
      flops: 2 * N * D * 3 * D,
    },
  ],
  cases: SIZES.map((size) => ({
    name: size.name,
    attrs: {},
    inputs: (random) => ({ ...xAndWeight(random, size), bias: random.normal([size.out]) }),
  })),
});

/** x [N, in], weight [in, out], residual [N, out] -> y [N, out]. */
export const linearAdd: OpDefinition<
  'x' | 'weight' | 'residual',
  LinearAttrs,
  'y',
  'x' | 'weight' | 'residual'
> = defineOp({
  name: 'linear_add',
  inputs: ['x', 'weight', 'residual'],
  outputs: ['y'],
  oracle: ({ x, weight, residual }, _attrs: LinearAttrs) => ({
    y: linearOracle(x, weight, undefined, residual),
  }),
  reference: ({ x, weight, residual }) => ({ y: add(residual, matMul(x, weight)) }),
  kernel: ({ x, weight, residual }) => ({ y: matmulKernel(x, weight, { residual }) }),
  float16: { inputs: ['x', 'weight', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...gradientTo, residual: residualGradient } },
  bench: ({ N, D }, inputs) => [
    {
      attrs: {},
      inputs: {
        x: inputs.normal(N, D),
        weight: inputs.normal(D, D),
        residual: inputs.normal(N, D),
      },
      flops: 2 * N * D * D,
    },
  ],
  cases: SIZES.map((size) => ({
    name: size.name,
    attrs: {},
    inputs: (random) => ({
      ...xAndWeight(random, size),
      residual: random.normal([size.n, size.out]),
    }),
  })),
});

/** x [N, in], weight [in, out], bias [out], residual [N, out] -> y [N, out]. */
export const linearBiasAdd: OpDefinition<
  'x' | 'weight' | 'bias' | 'residual',
  LinearAttrs,
  'y',
  'x' | 'weight' | 'bias' | 'residual'
> = defineOp({
  name: 'linear_bias_add',
  inputs: ['x', 'weight', 'bias', 'residual'],
  outputs: ['y'],
  oracle: ({ x, weight, bias, residual }, _attrs: LinearAttrs) => ({
    y: linearOracle(x, weight, bias, residual),
  }),
  reference: ({ x, weight, bias, residual }) => ({
    y: add(residual, add(matMul(x, weight), bias)),
  }),
  kernel: ({ x, weight, bias, residual }) => ({ y: matmulKernel(x, weight, { bias, residual }) }),
  float16: { inputs: ['x', 'weight', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...biasGradientTo, residual: residualGradient } },
  bench: ({ N, D, F }, inputs) => [
    {
      attrs: {},
      inputs: {
        x: inputs.normal(N, F),
        weight: inputs.normal(F, D),
        bias: inputs.normal(D),
        residual: inputs.normal(N, D),
      },
      flops: 2 * N * D * F,
    },
  ],
  cases: SIZES.map((size) => ({
    name: size.name,
    attrs: {},
    inputs: (random) => ({
      ...xAndWeight(random, size),
      bias: random.normal([size.out]),
      residual: random.normal([size.n, size.out]),
    }),
  })),
});
