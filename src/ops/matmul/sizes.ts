/** The sizes of a matmul, from the shapes of its operands. */
import { dims2 } from '../host.ts';
import type { MatmulSize } from './plan.ts';

/**
 * M, N and K of op(a) op(b), for the shapes of `a` and `b` as stored.
 *
 * Throws if the shapes do not fit.
 */
export function matmulSizeOf(
  a: readonly number[],
  b: readonly number[],
  { transpose_a = false, transpose_b = false }: { transpose_a?: boolean; transpose_b?: boolean },
): MatmulSize {
  const [a0, a1] = dims2(a);
  const [b0, b1] = dims2(b);
  const [M, K] = transpose_a ? [a1, a0] : [a0, a1];
  const [N, inner] = transpose_b ? [b0, b1] : [b1, b0];
  if (inner !== K) {
    const shapes = `[${a.join(', ')}] and [${b.join(', ')}]`;
    throw new Error(`matmul: ${shapes} do not fit (transposed: ${transpose_a}, ${transpose_b}).`);
  }
  return { M, N, K };
}
