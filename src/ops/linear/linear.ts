/**
 * y = x W (+ b) (+ residual), with W stored [in, out] as GPT-2's Conv1D stores it. Bias and
 * residual are added where the product is stored; the residual's gradient is dy itself, the same
 * tensor.
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
import { productKernel } from '../matmul/kernel.ts';
import { product } from '../matmul/matmul.ts';
import { linearBiasGrad } from './linear_grad.ts';

/** No attributes: the shapes say everything. */
export type LinearAttrs = Record<string, never>;

/** x W + bias + residual in float64; `linear`'s oracle, and a part of that of `mlp`. */
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
      let s = (bias ? at(bias, j) : 0) + (residual ? at(residual, i * out + j) : 0);
      for (let k = 0; k < inner; k++) s += at(x, i * inner + k) * at(weight, k * out + j);
      y.data[i * out + j] = s;
    }
  return y;
}

type Context = GradientContext<'x' | 'weight', LinearAttrs, 'y'>;
type BiasContext = GradientContext<'x' | 'weight' | 'bias', LinearAttrs, 'y'>;

/** dx = dy W^T and dW = x^T dy; the second adds to the weight's gradient buffer. */
const gradientTo = {
  x: ({ inputs, dy, into }: Context) => product(required(dy.y), inputs.weight, false, true, into.x),
  weight: ({ inputs, dy, into }: Context) =>
    product(inputs.x, required(dy.y), true, false, into.weight),
};
const ofParameters = perNode(({ inputs: { x }, dy, into }: BiasContext) =>
  run(linearBiasGrad, { x, dy: required(dy.y) }, {}, { weight: into.weight, bias: into.bias }),
);
const biasGradientTo = {
  x: gradientTo.x,
  weight: (c: BiasContext) => ofParameters(c).weight,
  bias: (c: BiasContext) => ofParameters(c).bias,
};
const ofResidual = ({ dy }: { dy: { y?: Tensor } }): Tensor => required(dy.y);

const saves = { inputs: ['x', 'weight'], outputs: [] } as const;
const SIZES = [
  { name: 'odd sizes', n: 5, inner: 7, out: 3 },
  { name: 'rows of four', n: 8, inner: 4, out: 12 },
] as const;
type Size = (typeof SIZES)[number];
const xAndWeight = (r: CaseRandom, { n, inner, out }: Size) => ({
  x: r.normal([n, inner]),
  weight: r.normal([inner, out]),
});

/** x [N, in], weight [in, out] -> y [N, out]. */
export const linear: OpDefinition<'x' | 'weight', LinearAttrs, 'y', 'x' | 'weight'> = defineOp({
  name: 'linear',
  inputs: ['x', 'weight'],
  outputs: ['y'],
  oracle: ({ x, weight }, _attrs: LinearAttrs) => ({ y: linearOracle(x, weight) }),
  reference: ({ x, weight }) => ({ y: matMul(x, weight) }),
  kernel: ({ x, weight }) => ({ y: productKernel(x, weight) }),
  float16: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: gradientTo },
  cases: SIZES.map((s) => ({ name: s.name, attrs: {}, inputs: (r) => xAndWeight(r, s) })),
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
  kernel: ({ x, weight, bias }) => ({ y: productKernel(x, weight, { bias }) }),
  float16: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: biasGradientTo },
  cases: SIZES.map((s) => ({
    name: s.name,
    attrs: {},
    inputs: (r) => ({ ...xAndWeight(r, s), bias: r.normal([s.out]) }),
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
  kernel: ({ x, weight, residual }) => ({ y: productKernel(x, weight, { residual }) }),
  float16: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...gradientTo, residual: ofResidual } },
  cases: SIZES.map((s) => ({
    name: s.name,
    attrs: {},
    inputs: (r) => ({ ...xAndWeight(r, s), residual: r.normal([s.n, s.out]) }),
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
  kernel: ({ x, weight, bias, residual }) => ({ y: productKernel(x, weight, { bias, residual }) }),
  float16: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...biasGradientTo, residual: ofResidual } },
  cases: SIZES.map((s) => ({
    name: s.name,
    attrs: {},
    inputs: (r) => ({
      ...xAndWeight(r, s),
      bias: r.normal([s.out]),
      residual: r.normal([s.n, s.out]),
    }),
  })),
});
