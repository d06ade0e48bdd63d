/** y = x W (+ b), with W stored [in, out] as GPT-2's Conv1D stores it. */
import { add, matMul } from '@tensorflow/tfjs-core';
import { columnSum } from '../column_sum/column_sum.ts';
import { defineOp, type GradientContext, type HostTensor, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { productKernel } from '../matmul/kernel.ts';
import { product } from '../matmul/matmul.ts';

/** No attributes: the shapes say everything. */
export type LinearAttrs = Record<string, never>;

function oracle(x: HostTensor, weight: HostTensor, bias?: HostTensor): { y: HostTensor } {
  const [n, inner] = dims2(x.shape), [, out] = dims2(weight.shape), y = zeros([n, out]);
  for (let i = 0; i < n; i++) for (let j = 0; j < out; j++) {
    let s = bias ? at(bias, j) : 0;
    for (let k = 0; k < inner; k++) s += at(x, i * inner + k) * at(weight, k * out + j);
    y.data[i * out + j] = s;
  }
  return { y };
}

/** dx = dy W^T and dW = x^T dy; the second adds to the weight's gradient buffer. */
const gradientTo = {
  x: ({ inputs, dy, into }: GradientContext<'x' | 'weight', LinearAttrs, 'y'>) => product(required(dy.y), inputs.weight, false, true, into.x),
  weight: ({ inputs, dy, into }: GradientContext<'x' | 'weight', LinearAttrs, 'y'>) => product(inputs.x, required(dy.y), true, false, into.weight),
};

/** x [N, in], weight [in, out] -> y [N, out]. */
export const linear: OpDefinition<'x' | 'weight', LinearAttrs, 'y', 'x' | 'weight'> = defineOp({
  name: 'linear',
  inputs: ['x', 'weight'],
  outputs: ['y'],
  oracle: ({ x, weight }, _attrs: LinearAttrs) => oracle(x, weight),
  reference: ({ x, weight }) => ({ y: matMul(x, weight) }),
  kernel: ({ x, weight }) => ({ y: productKernel(x, weight) }),
  gradient: { saves: { inputs: ['x', 'weight'], outputs: [] }, from: ['y'], to: gradientTo },
  cases: [
    { name: 'odd sizes', inputs: (r) => ({ x: r.normal([5, 7]), weight: r.normal([7, 3]) }), attrs: {} },
    { name: 'rows of four', inputs: (r) => ({ x: r.normal([8, 4]), weight: r.normal([4, 12]) }), attrs: {} },
  ],
});

/** x [N, in], weight [in, out], bias [out] -> y [N, out]. */
export const linearBias: OpDefinition<'x' | 'weight' | 'bias', LinearAttrs, 'y', 'x' | 'weight' | 'bias'> = defineOp({
  name: 'linear_bias',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y'],
  oracle: ({ x, weight, bias }, _attrs: LinearAttrs) => oracle(x, weight, bias),
  reference: ({ x, weight, bias }) => ({ y: add(matMul(x, weight), bias) }),
  kernel: ({ x, weight, bias }) => ({ y: productKernel(x, weight, { bias }) }),
  gradient: {
    saves: { inputs: ['x', 'weight'], outputs: [] },
    from: ['y'],
    to: { ...gradientTo, bias: ({ dy, into }) => run(columnSum, { x: required(dy.y) }, {}, into.bias && { sum: into.bias }).sum },
  },
  cases: [
    { name: 'odd sizes', inputs: (r) => ({ x: r.normal([5, 7]), weight: r.normal([7, 3]), bias: r.normal([3]) }), attrs: {} },
    { name: 'rows of four', inputs: (r) => ({ x: r.normal([8, 4]), weight: r.normal([4, 12]), bias: r.normal([12]) }), attrs: {} },
  ],
});
