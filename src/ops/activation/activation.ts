/**
 * GELU (tanh approximation) and squared ReLU over x [N, f], with the bias [f] of the product before them fused in:
 * the sum x + bias is never stored. Backward works it out again from x and bias.
 */
import { add, mul, type Tensor } from '@tensorflow/tfjs-core';
import { columnSum } from '../column_sum/column_sum.ts';
import { defineOp, type GradientContext, type HostTensor, perNode, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { type Activation, gelu as geluFunction, relu2 as relu2Function } from './functions.ts';
import { activationGradKernel, activationKernel } from './kernels.ts';

function map(x: HostTensor, bias: HostTensor | null, f: (u: number, i: number) => number): HostTensor {
  const [n, d] = dims2(x.shape), y = zeros([n, d]);
  for (let i = 0; i < n * d; i++) y.data[i] = f(at(x, i) + (bias ? at(bias, i % d) : 0), i);
  return y;
}
const SHAPES = [[37, 96], [1, 7]] as const;

/** x [N, f], bias [f], dy [N, f] -> dx [N, f]. */
const defineBiasGrad = (name: string, f: Activation) => defineOp({
  name: `bias_${name}_grad`,
  inputs: ['x', 'bias', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, bias, dy }, _: object) => ({ dx: map(x, bias, (u, i) => at(dy, i) * f.derivative(u)) }),
  reference: ({ x, bias, dy }) => ({ dx: mul(dy, f.tensorDerivative(add(x, bias))) }),
  kernel: ({ x, bias, dy }) => ({ dx: activationGradKernel(f, x, bias, dy) }),
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => ({ x: r.normal([n, d], 2), bias: r.normal([d]), dy: r.normal([n, d]) }) })),
});

/** x [N, f], dy [N, f] -> dx [N, f]. */
const defineGrad = (name: string, f: Activation) => defineOp({
  name: `${name}_grad`,
  inputs: ['x', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, dy }, _: object) => ({ dx: map(x, null, (u, i) => at(dy, i) * f.derivative(u)) }),
  reference: ({ x, dy }) => ({ dx: mul(dy, f.tensorDerivative(x)) }),
  kernel: ({ x, dy }) => ({ dx: activationGradKernel(f, x, null, dy) }),
  gradient: null,
  cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => ({ x: r.normal([n, d], 2), dy: r.normal([n, d]) }) })),
});

function defineWithBias(name: string, f: Activation) {
  const grad = defineBiasGrad(name, f);
  const dx = perNode(({ inputs: { x, bias }, dy }: GradientContext<'x' | 'bias', object, 'y'>): Tensor =>
    run(grad, { x, bias, dy: required(dy.y) }, {}).dx);
  return defineOp({
    name: `bias_${name}`,
    inputs: ['x', 'bias'],
    outputs: ['y'],
    oracle: ({ x, bias }, _: object) => ({ y: map(x, bias, f.value) }),
    reference: ({ x, bias }) => ({ y: f.tensor(add(x, bias)) }),
    kernel: ({ x, bias }) => ({ y: activationKernel(f, x, bias) }),
    gradient: {
      saves: { inputs: ['x', 'bias'], outputs: [] },
      from: ['y'],
      to: { x: dx, bias: (c) => run(columnSum, { x: dx(c) }, {}, { sum: c.into.bias }).sum },
    },
    cases: SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r) => ({ x: r.normal([n, d], 2), bias: r.normal([d]) }) })),
  });
}

function defineWithout(name: string, f: Activation) {
  const grad = defineGrad(name, f);
  return defineOp({
    name,
    inputs: ['x'],
    outputs: ['y'],
    oracle: ({ x }, _: object) => ({ y: map(x, null, f.value) }),
    reference: ({ x }) => ({ y: f.tensor(x) }),
    kernel: ({ x }) => ({ y: activationKernel(f, x, null) }),
    gradient: {
      saves: { inputs: ['x'], outputs: [] },
      from: ['y'],
      to: { x: ({ inputs: { x }, dy }) => run(grad, { x, dy: required(dy.y) }, {}).dx },
    },
    cases: [
      ...SHAPES.map(([n, d]) => ({ name: `${n}x${d}`, attrs: {}, inputs: (r: { normal(s: readonly number[], std?: number): HostTensor }) => ({ x: r.normal([n, d], 2) }) })),
      { name: 'far out', attrs: {}, inputs: (r) => ({ x: r.values([1, 8], [-1e4, -80, -20, -9, 9, 20, 80, 1e3]) }) },
    ],
  });
}

/** x [N, f], bias [f] -> y [N, f]. */
export const biasGelu = defineWithBias('gelu', geluFunction);
/** x [N, f] -> y [N, f]. */
export const gelu = defineWithout('gelu', geluFunction);
/** x [N, f], bias [f] -> y [N, f]. */
export const biasRelu2 = defineWithBias('relu2', relu2Function);
/** x [N, f] -> y [N, f]. */
export const relu2 = defineWithout('relu2', relu2Function);
