/**
 * The matrix product that this thread works on: C [M, N] = op(A) op(B) with an epilogue. The names
 * are those of BLAS: M rows, N columns, sums over K.
 */
import { intAt, pointerAt } from './inlined/args';

export let M: i32 = 0;
export let N: i32 = 0;
export let K: i32 = 0;
/** A is stored as [K, M], B as [N, K]. */
export let transposeA: bool = false;
export let transposeB: bool = false;
export let A: usize = 0;
export let B: usize = 0;
export let C: usize = 0;
/** C is added to instead of overwritten. */
export let accumulates: bool = false;
/** [N], or 0. */
export let bias: usize = 0;
/** [M, N], or 0. */
export let residual: usize = 0;
/** [M, N], or 0: the activation of C is stored here. */
export let activated: usize = 0;
/** [M, N], or 0: C is multiplied by the derivative of the activation here. */
export let before: usize = 0;
/** `code` of the activation in src/ops/activation/functions.ts. */
export let activation: i32 = 0;

/**
 * Reads the words of a command: C; `activated` if the product has it; A, B, bias, residual, before;
 * M, N, K, transpose_a, transpose_b, activation.
 */
export function readProduct(args: usize, hasActivated: bool, isAdded: bool): void {
  C = pointerAt(args, 0);
  activated = hasActivated ? pointerAt(args, 1) : 0;
  accumulates = isAdded;
  const rest = args + (hasActivated ? 8 : 4);
  A = pointerAt(rest, 0);
  B = pointerAt(rest, 1);
  bias = pointerAt(rest, 2);
  residual = pointerAt(rest, 3);
  before = pointerAt(rest, 4);
  M = intAt(rest, 5);
  N = intAt(rest, 6);
  K = intAt(rest, 7);
  transposeA = intAt(rest, 8) != 0;
  transposeB = intAt(rest, 9) != 0;
  activation = intAt(rest, 10);
}

/** Rows and columns of a tile of C, whose sums are held in registers. */
export const TILE_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const TILE_COLUMNS: i32 = 8;

/** The part of C that is being computed, and the steps of K that are summed. */
export let firstRow: i32 = 0;
export let endRow: i32 = 0;
export let firstColumn: i32 = 0;
export let endColumn: i32 = 0;
export let firstStep: i32 = 0;
export let steps: i32 = 0;

export function chooseRows(first: i32, end: i32): void {
  firstRow = first;
  endRow = end;
}

export function chooseColumns(first: i32, end: i32): void {
  firstColumn = first;
  endColumn = end;
}

export function chooseSteps(first: i32, count: i32): void {
  firstStep = first;
  steps = count;
}
