/**
 * C = op(A) op(B) for matrices, where op transposes or not. Used directly for a tied head (x wte^T)
 * and by the gradients of `linear` and `mlp`.
 */
import { getBackend, matMul, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { defineOp, run, type HostTensor, type OpCase, type OpDefinition } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { matmulKernel } from './kernel.ts';

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

const NN: MatmulAttrs = { transpose_a: false, transpose_b: false };
const NT: MatmulAttrs = { transpose_a: false, transpose_b: true };
const TN: MatmulAttrs = { transpose_a: true, transpose_b: false };
const TT: MatmulAttrs = { transpose_a: true, transpose_b: true };

const matmulCase = (
  name: string,
  a: readonly number[],
  b: readonly number[],
  attrs: MatmulAttrs,
): OpCase<'a' | 'b', MatmulAttrs> => ({
  name,
  inputs: (random) => ({ a: random.normal(a), b: random.normal(b) }),
  attrs,
});

/**
 * `matMul` of tfjs. Its wasm kernel uses the fast path (XNNPACK) only if nothing is transposed, so
 * operands are transposed first there: seven times faster in the names preset.
 */
export function referenceMatmul(
  a: Tensor,
  b: Tensor,
  { transpose_a, transpose_b }: MatmulAttrs,
): Tensor {
  if (getBackend() !== 'wasm') return matMul(a, b, transpose_a, transpose_b);
  return matMul(transpose_a ? transpose(a) : a, transpose_b ? transpose(b) : b);
}

/** a, b: float32 matrices -> c [M, N]; accumulates. */
export const matmul: OpDefinition<'a' | 'b', MatmulAttrs, 'c', 'a' | 'b'> = defineOp({
  name: 'matmul',
  inputs: ['a', 'b'],
  outputs: ['c'],
  oracle: ({ a, b }, attrs: MatmulAttrs) => ({ c: oracle(a, b, attrs) }),
  reference: ({ a, b }, attrs) => ({ c: referenceMatmul(a, b, attrs) }),
  kernel: ({ a, b }, attrs, into) => ({ c: matmulKernel(a, b, { ...attrs, into: into.c }) }),
  float16: { inputs: ['a', 'b'] },
  accumulates: ['c'],
  gradient: {
    saves: { inputs: ['a', 'b'], outputs: [] },
    from: ['c'],
    to: {
      // dA = dC op(B)^T, or its transpose if A is transposed; dB likewise.
      a: ({ inputs: { b }, dy, attrs: { transpose_a, transpose_b }, into: { a: into } }) =>
        transpose_a
          ? runMatmul(b, required(dy.c), { transpose_a: transpose_b, transpose_b: true, into })
          : runMatmul(required(dy.c), b, { transpose_b: !transpose_b, into }),
      b: ({ inputs: { a }, dy, attrs: { transpose_a, transpose_b }, into: { b: into } }) =>
        transpose_b
          ? runMatmul(required(dy.c), a, { transpose_a: true, transpose_b: transpose_a, into })
          : runMatmul(a, required(dy.c), { transpose_a: !transpose_a, into }),
    },
  },
  cases: [
    matmulCase('nn', [5, 7], [7, 6], NN),
    matmulCase('nt', [5, 7], [6, 7], NT),
    matmulCase('tn', [7, 5], [7, 6], TN),
    matmulCase('tt', [7, 5], [6, 7], TT),
    matmulCase('rows of four', [8, 12], [12, 16], NN),
    matmulCase('one row', [1, 16], [16, 8], NN),
  ],
});

/** op(a) op(b), not transposed by default; added to `into` if it is given. */
export function runMatmul(
  a: Tensor,
  b: Tensor,
  options: Partial<MatmulAttrs> & { into?: Tensor } = {},
): Tensor {
  const { transpose_a = false, transpose_b = false, into } = options;
  return run(matmul, { a, b }, { transpose_a, transpose_b }, { c: into }).c;
}
