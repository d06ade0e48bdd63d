/** The matrix products of a training step, with the epilogue that each one has. */
import { CONFIGS, type ConfigName } from './configs.ts';

/**
 * `bias` and `residual` are added to C; `gelu`: the activated value is stored too; `gelu_grad`: C is
 * multiplied by GELU's derivative; `into`: the result is added to C; `columns`: the columns of b are
 * summed.
 */
export interface StepEpilogue {
  bias?: true;
  residual?: true;
  gelu?: true;
  gelu_grad?: true;
  into?: true;
  columns?: true;
}

/** C [M, N] = op(a) op(b), summed over K. */
export interface StepMatmul {
  title: string;
  /** Whether a and b are transposed (t) or not (n). */
  form: 'nn' | 'nt' | 'tn';
  M: number;
  N: number;
  K: number;
  epilogue: StepEpilogue;
}

/** The matmuls of a configuration, or square ones. */
export type MatmulSet = ConfigName | 'squares';

const SQUARES = [1024, 2048, 4096];

function stepMatmul(
  what: string,
  form: StepMatmul['form'],
  [M, N, K]: readonly [M: number, N: number, K: number],
  epilogue: StepEpilogue = {},
): StepMatmul {
  const fused = Object.keys(epilogue).join('+') || 'plain';
  return { title: `${what} ${form} ${M}x${N}x${K} ${fused}`, form, M, N, K, epilogue };
}

export function matmulsOf(name: MatmulSet): StepMatmul[] {
  if (name === 'squares') {
    const forms = ['nn', 'nt', 'tn'] as const;
    return SQUARES.flatMap((n) => forms.map((form) => stepMatmul('square', form, [n, n, n])));
  }
  const { batch_size, block_size, n_embd, n_inner, vocab_size } = CONFIGS[name];
  return matmulsOfSizes({
    tokens: batch_size * block_size,
    n_embd,
    qkv_width: 3 * n_embd,
    n_inner,
    vocab_size,
  });
}

export interface StepSizes {
  /** Tokens of a micro-batch. */
  tokens: number;
  n_embd: number;
  /** Columns of queries, keys and values together. */
  qkv_width: number;
  n_inner: number;
  vocab_size: number;
}

/** Every matmul of a training step: forward, then input gradients, then weight gradients. */
export function matmulsOfSizes(sizes: StepSizes): StepMatmul[] {
  const { tokens: n, n_embd: d, qkv_width: w, n_inner: f, vocab_size: v } = sizes;
  return [
    stepMatmul('qkv', 'nn', [n, w, d], { bias: true }),
    stepMatmul('attention proj', 'nn', [n, d, d], { bias: true, residual: true }),
    stepMatmul('fc', 'nn', [n, f, d], { bias: true, gelu: true }),
    stepMatmul('proj', 'nn', [n, d, f], { bias: true, residual: true }),
    stepMatmul('head', 'nt', [n, v, d]),
    stepMatmul('head dx', 'nn', [n, d, v]),
    stepMatmul('proj dx', 'nt', [n, f, d], { gelu_grad: true }),
    stepMatmul('fc dx', 'nt', [n, d, f]),
    stepMatmul('attention proj dx', 'nt', [n, d, d]),
    stepMatmul('qkv dx', 'nt', [n, d, w]),
    stepMatmul('head dW', 'tn', [v, d, n], { into: true }),
    stepMatmul('qkv dW', 'tn', [d, w, n], { into: true, columns: true }),
    stepMatmul('attention proj dW', 'tn', [d, d, n], { into: true, columns: true }),
    stepMatmul('fc dW', 'tn', [d, f, n], { into: true, columns: true }),
    stepMatmul('proj dW', 'tn', [f, d, n], { into: true, columns: true }),
  ];
}

/** Shapes of a and b as they are stored, and of C. */
export const operandShapes = ({
  form,
  M,
  N,
  K,
}: StepMatmul): Record<'a' | 'b' | 'c', number[]> => ({
  a: form === 'tn' ? [K, M] : [M, K],
  b: form === 'nt' ? [N, K] : [K, N],
  c: [M, N],
});

export const transposesOf = ({
  form,
}: StepMatmul): { transpose_a: boolean; transpose_b: boolean } => ({
  transpose_a: form === 'tn',
  transpose_b: form === 'nt',
});
