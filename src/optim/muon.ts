/**
 * Muon (Jordan et al. 2024; reference implementation: KellerJordan/Muon, `muon_update`): the
 * momentum of a matrix, replaced by a nearly orthogonal one.
 *
 * Nesterov momentum: b = b + (1 - momentum)(g - b), u = g + momentum (b - g). Then five
 * Newton-Schulz steps, and times sqrt(max(1, out / in)). Our matrices are [in, out], the transpose
 * of PyTorch's; the iteration commutes with that, and the factor is written for our order. Matrices
 * packed in one parameter (q, k, v; gate, up) are orthogonalised one by one: together they would
 * share one spectrum. Everything is float32 where the reference has bfloat16.
 */
import {
  add,
  concat,
  div,
  matMul,
  mul,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@tensorflow/tfjs-core';
import type { OptimizedParameter } from './describe.ts';

/**
 * Coefficients of X <- a X + (b A + c A^2) X, A = X X^T: the steepest at zero that still keep
 * singular values near 1.
 */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;

/**
 * A matrix [in, out] with the singular vectors of x and singular values between about 0.7 and 1.2.
 * Not for use outside a tidy.
 */
export function orthogonalise(x: Tensor): Tensor {
  const [rows, columns] = shapeOf(x);
  const tall = rows > columns;
  let y = tall ? transpose(x) : x;
  y = div(y, add(sqrt(sum(square(y))), 1e-7));
  for (let i = 0; i < ITERATIONS; i++) {
    const a = matMul(y, y, false, true);
    y = add(mul(y, A), matMul(add(mul(a, B), mul(matMul(a, a), C)), y));
  }
  return tall ? transpose(y) : y;
}

/**
 * Columns [start, end) of each matrix in a parameter. GPT-2's c_attn holds q, k and v, though its
 * checkpoint keeps them as one.
 */
export function packedColumns(p: OptimizedParameter): { start: number; end: number }[] {
  const [, columns = 1] = p.shape;
  if (p.parts.length > 1) return p.parts.map(({ start, end }) => ({ start, end }));
  if (!p.name.endsWith('.attn.c_attn.weight')) return [{ start: 0, end: columns }];
  return [0, 1, 2].map((i) => ({ start: (i * columns) / 3, end: ((i + 1) * columns) / 3 }));
}

/** Update and new buffer of one parameter. */
export function muon(
  p: OptimizedParameter,
  u: Tensor,
  buffer: Tensor,
  momentum: number,
): { update: Tensor; buffer: Tensor } {
  const next = add(buffer, mul(sub(u, buffer), 1 - momentum));
  const nesterov = add(u, mul(sub(next, u), momentum));
  const [rows] = shapeOf(u);
  const columns = packedColumns(p);
  const matrices = columns.map(({ start, end }) => {
    const one = columns.length > 1 ? slice(nesterov, [0, start], [rows, end - start]) : nesterov;
    return mul(orthogonalise(one), Math.sqrt(Math.max(1, (end - start) / rows)));
  });
  const [only] = matrices;
  return { update: matrices.length === 1 && only ? only : concat(matrices, 1), buffer: next };
}

function shapeOf(t: Tensor): [number, number] {
  const [rows, columns] = t.shape;
  if (t.rank !== 2 || rows === undefined || columns === undefined)
    throw new Error(`Muon takes matrices, got [${t.shape.join(', ')}].`);
  return [rows, columns];
}
