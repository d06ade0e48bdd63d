/**
 * The gradients of both parameters of y = x W + b in one operation: dW = x^T dy, and db, the sum of
 * dy's rows, which the matmul reads anyway.
 */
import { sum, type Tensor } from '@tensorflow/tfjs-core';
import { output } from '../../backend/index.ts';
import { defineOp, type Tensors } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { matmulKernel } from '../matmul/kernel.ts';
import { referenceMatmul } from '../matmul/matmul.ts';
import type { ProcessorMatmulOptions } from '../matmul/processor.ts';

type Operands = Tensors<'x' | 'dy'>;
type Gradients = Tensors<'weight' | 'bias'>;

/** Both gradients, added to those of `into`, by the matmul of WebGPU or of the processor. */
export function gradientsBy(
  matmul: (a: Tensor, b: Tensor, options: ProcessorMatmulOptions) => Tensor,
  { x, dy }: Operands,
  into: Partial<Gradients>,
): Gradients {
  const [, out] = dims2(dy.shape);
  const bias = into.bias ?? output([out]);
  const weight = matmul(x, dy, {
    transpose_a: true,
    into: into.weight,
    columns: { to: bias, add: into.bias !== undefined },
  });
  return { weight, bias };
}

/** x [N, in], dy [N, out] -> weight [in, out], bias [out]; both accumulate. */
export const linearBiasGrad = defineOp({
  name: 'linear_bias_grad',
  inputs: ['x', 'dy'],
  outputs: ['weight', 'bias'],
  oracle: ({ x, dy }, _: object) => {
    const [n, inner] = dims2(x.shape);
    const [, out] = dims2(dy.shape);
    const weight = zeros([inner, out]);
    const bias = zeros([out]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < out; j++) {
        const dy_ij = at(dy, i * out + j);
        bias.data[j] = at(bias, j) + dy_ij;
        for (let k = 0; k < inner; k++)
          weight.data[k * out + j] = at(weight, k * out + j) + at(x, i * inner + k) * dy_ij;
      }
    return { weight, bias };
  },
  reference: ({ x, dy }) => ({
    weight: referenceMatmul(x, dy, { transpose_a: true, transpose_b: false }),
    bias: sum(dy, 0),
  }),
  kernel: (inputs, _, into) => gradientsBy(matmulKernel, inputs, into),
  accumulates: ['weight', 'bias'],
  float16: { inputs: ['x', 'dy'] },
  gradient: null,
  // In the last case, K is split.
  bench: ({ N, D }, inputs) => [
    {
      attrs: {},
      inputs: { x: inputs.normal(N, D), dy: inputs.normal(N, 3 * D) },
      flops: 2 * N * D * 3 * D,
    },
  ],
  cases: [
    [5, 7, 3],
    [8, 4, 12],
    [300, 5, 40],
  ].map(([n = 0, inner = 0, out = 0]) => ({
    name: `${n} rows, ${inner} to ${out}`,
    attrs: {},
    inputs: (random) => ({ x: random.normal([n, inner]), dy: random.normal([n, out]) }),
  })),
});
