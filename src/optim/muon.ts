/**
 * Muon (Jordan et al. 2024; reference implementation: `muon_update` of KellerJordan/Muon): replaces
 * the momentum of a matrix by a nearly orthogonal one.
 *
 * Nesterov momentum: b = b + (1 - momentum) (g - b), u = g + momentum (b - g). Then come five
 * Newton-Schulz steps and the factor sqrt(max(1, out / in)). Our matrices are [in, out], the
 * transpose of PyTorch's; the iteration commutes with transposition, and the factor is written for
 * our order. Matrices that are packed in one parameter (q, k, v; gate, up) are orthogonalized one by
 * one, because together they would share one spectrum. Everything is float32 where the reference
 * uses bfloat16.
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
 * Coefficients of X <- a X + (b A + c A^2) X, where A = X X^T: the steepest slope at zero that still
 * keeps singular values near 1.
 */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;

/**
 * A matrix [in, out] with the singular vectors of x and singular values between about 0.7 and 1.2.
 * Leaves intermediate tensors behind: call it inside a tidy.
 */
function orthogonalize(x: Tensor): Tensor {
  const [rows, columns] = matrixShape(x);
  const isTall = rows > columns;
  let y = isTall ? transpose(x) : x;
  y = div(y, add(sqrt(sum(square(y))), 1e-7));
  for (let i = 0; i < ITERATIONS; i++) {
    const gram = matMul(y, y, false, true);
    y = add(mul(y, A), matMul(add(mul(gram, B), mul(matMul(gram, gram), C)), y));
  }
  return isTall ? transpose(y) : y;
}

/**
 * The columns [start, end) of each matrix in a parameter. GPT-2's c_attn packs q, k and v, although
 * its checkpoints, and so its `parts`, treat them as one matrix.
 */
export function packedColumns({
  name,
  shape,
  parts,
}: OptimizedParameter): { start: number; end: number }[] {
  const [, columns = 1] = shape;
  if (parts.length > 1) return parts.map(({ start, end }) => ({ start, end }));
  if (!name.endsWith('.attn.c_attn.weight')) return [{ start: 0, end: columns }];
  return [0, 1, 2].map((i) => ({ start: (i * columns) / 3, end: ((i + 1) * columns) / 3 }));
}

/** The update and the new momentum buffer of one parameter. `gradient` is the update so far. */
export function muon(
  parameter: OptimizedParameter,
  gradient: Tensor,
  buffer: Tensor,
  momentum: number,
): { update: Tensor; buffer: Tensor } {
  const nextBuffer = add(buffer, mul(sub(gradient, buffer), 1 - momentum));
  const nesterov = add(gradient, mul(sub(nextBuffer, gradient), momentum));
  const [rows] = matrixShape(gradient);
  const columns = packedColumns(parameter);
  const matrices = columns.map(({ start, end }) => {
    const matrix = columns.length > 1 ? slice(nesterov, [0, start], [rows, end - start]) : nesterov;
    return mul(orthogonalize(matrix), Math.sqrt(Math.max(1, (end - start) / rows)));
  });
  const [only] = matrices;
  const update = matrices.length === 1 && only ? only : concat(matrices, 1);
  return { update, buffer: nextBuffer };
}

function matrixShape({ rank, shape }: Tensor): [number, number] {
  const [rows, columns] = shape;
  if (rank !== 2 || rows === undefined || columns === undefined)
    throw new Error(`Muon needs matrices, got the shape [${shape.join(', ')}].`);
  return [rows, columns];
}
