/**
 * Matrix products C [M, N] = op(A) op(B), where op transposes or not, with what follows them: bias,
 * residual, activation, accumulation.
 *
 * The words of a command: C; the activated C [M, N] of `matmul_apply`; A, B, bias [N], residual
 * [M, N], and `before` [M, N], at which the derivative of the activation is taken; M, N, K,
 * transpose_a, transpose_b, activation.
 */
import { multiplyInTiles } from './products_chunks';
import { hasFewRows, multiplyFewRows } from './products_few_rows';
import { readProduct } from './products_state';

/** C = op(A) op(B) + bias + residual, times the derivative of the activation at `before`. */
export function matmul(args: usize): void {
  readProduct(args, false, false);
  multiply();
}

/** C += op(A) op(B) + bias. */
export function matmul_add(args: usize): void {
  readProduct(args, false, true);
  multiply();
}

/** C = op(A) op(B) + bias + residual, and its activation. */
export function matmul_apply(args: usize): void {
  readProduct(args, true, false);
  multiply();
}

function multiply(): void {
  if (hasFewRows()) multiplyFewRows();
  else multiplyInTiles();
}
