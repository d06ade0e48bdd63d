/**
 * C = op(A) op(B) for matrices, where op transposes or not. Used directly for a tied head (x wte^T)
 * and by the gradients of `linear` and `mlp`.
 */
import { getBackend, matMul, type Tensor, transpose } from '@tensorflow/tfjs-core';
import {
  type BenchInputs,
  type BenchSizes,
  defineOp,
  type HostTensor,
  type OpBench,
  type OpCase,
  type OpDefinition,
  run,
} from '../define.ts';
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

/** A matmul of the micro-benchmark: C [m, n], as a sum over k. */
function benchOf(
  inputs: BenchInputs,
  attrs: MatmulAttrs,
  [m, n, k]: readonly [number, number, number],
): OpBench<'a' | 'b', MatmulAttrs> {
  const { transpose_a, transpose_b } = attrs;
  return {
    title: `${transpose_a ? 't' : 'n'}${transpose_b ? 't' : 'n'} ${m}x${n}x${k}`,
    attrs,
    inputs: {
      a: transpose_a ? inputs.normal(k, m) : inputs.normal(m, k),
      b: transpose_b ? inputs.normal(n, k) : inputs.normal(k, n),
    },
    flops: 2 * m * n * k,
  };
}

/** Every matmul of a training step: forward, gradients of inputs, gradients of weights. */
function benches(
  { N, D, F, V }: BenchSizes,
  inputs: BenchInputs,
): OpBench<'a' | 'b', MatmulAttrs>[] {
  const qkv = 3 * D;
  const forms: [attrs: MatmulAttrs, sizes: [m: number, n: number, k: number][]][] = [
    [
      NN,
      [
        [N, qkv, D],
        [N, D, D],
        [N, F, D],
        [N, D, F],
      ],
    ],
    [
      NT,
      [
        [N, V, D],
        [N, D, qkv],
        [N, D, D],
        [N, D, F],
        [N, F, D],
      ],
    ],
    [NN, [[N, D, V]]],
    [
      TN,
      [
        [D, qkv, N],
        [D, D, N],
        [D, F, N],
        [F, D, N],
        [V, D, N],
      ],
    ],
  ];
  return forms.flatMap(([attrs, sizes]) => sizes.map((size) => benchOf(inputs, attrs, size)));
}

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
  bench: benches,
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
