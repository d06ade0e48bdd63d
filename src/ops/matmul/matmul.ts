/**
 * C = op(A) op(B) for matrices, where op transposes or not. Used alone for a tied head (x wte^T)
 * and by `linear`.
 */
import { getBackend, matMul, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { defineOp, run, type HostTensor, type OpCase, type OpDefinition } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { productKernel } from './kernel.ts';

export interface MatmulAttrs {
  transpose_a: boolean;
  transpose_b: boolean;
}

function oracle(
  a: HostTensor,
  b: HostTensor,
  { transpose_a, transpose_b }: MatmulAttrs,
): HostTensor {
  const [a0, a1] = dims2(a.shape);
  const [b0, b1] = dims2(b.shape);
  const [m, k] = transpose_a ? [a1, a0] : [a0, a1];
  const n = transpose_b ? b0 : b1;
  const c = zeros([m, n]);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++)
        sum +=
          at(a, transpose_a ? l * a1 + i : i * a1 + l) *
          at(b, transpose_b ? j * b1 + l : l * b1 + j);
      c.data[i * n + j] = sum;
    }
  return c;
}

function matmulCase(
  name: string,
  a: readonly number[],
  b: readonly number[],
  transpose_a: boolean,
  transpose_b: boolean,
): OpCase<'a' | 'b', MatmulAttrs> {
  return {
    name,
    inputs: (random) => ({ a: random.normal(a), b: random.normal(b) }),
    attrs: { transpose_a, transpose_b },
  };
}

/**
 * tfjs's wasm kernel multiplies fast (XNNPACK) only where nothing is transposed: seven times faster
 * in the names preset.
 */
export function referenceProduct(
  a: Tensor,
  b: Tensor,
  { transpose_a, transpose_b }: MatmulAttrs,
): Tensor {
  if (getBackend() !== 'wasm') return matMul(a, b, transpose_a, transpose_b);
  return matMul(transpose_a ? transpose(a) : a, transpose_b ? transpose(b) : b);
}

/** a, b: float32 matrices; c [M, N]. The kernel adds to an existing C where it is given one. */
export const matmul: OpDefinition<'a' | 'b', MatmulAttrs, 'c', 'a' | 'b'> = defineOp({
  name: 'matmul',
  inputs: ['a', 'b'],
  outputs: ['c'],
  oracle: ({ a, b }, attrs: MatmulAttrs) => ({ c: oracle(a, b, attrs) }),
  reference: ({ a, b }, attrs) => ({ c: referenceProduct(a, b, attrs) }),
  kernel: ({ a, b }, attrs, into) => ({ c: productKernel(a, b, { ...attrs, into: into.c }) }),
  float16: { inputs: ['a', 'b'] },
  accumulates: ['c'],
  gradient: {
    saves: { inputs: ['a', 'b'], outputs: [] },
    from: ['c'],
    to: {
      // dA = dC op(B)^T, or its transpose where A itself came transposed; dB likewise.
      a: ({ inputs: { b }, dy, attrs: { transpose_a, transpose_b }, into: { a: into } }) =>
        transpose_a
          ? product(b, required(dy.c), transpose_b, true, into)
          : product(required(dy.c), b, false, !transpose_b, into),
      b: ({ inputs: { a }, dy, attrs: { transpose_a, transpose_b }, into: { b: into } }) =>
        transpose_b
          ? product(required(dy.c), a, true, transpose_a, into)
          : product(a, required(dy.c), !transpose_a, false, into),
    },
  },
  cases: [
    matmulCase('nn', [5, 7], [7, 6], false, false),
    matmulCase('nt', [5, 7], [6, 7], false, true),
    matmulCase('tn', [7, 5], [7, 6], true, false),
    matmulCase('tt', [7, 5], [6, 7], true, true),
    matmulCase('rows of four', [8, 12], [12, 16], false, false),
    matmulCase('one row', [1, 16], [16, 8], false, false),
  ],
});

/** op(a) op(b), added to `into` where there is one. */
export function product(
  a: Tensor,
  b: Tensor,
  transpose_a: boolean,
  transpose_b: boolean,
  into?: Tensor,
): Tensor {
  return run(matmul, { a, b }, { transpose_a, transpose_b }, into && { c: into }).c;
}
