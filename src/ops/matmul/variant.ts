/** What the source of a matmul kernel depends on besides its tile. */
import type { Epilogue, Float16Slots } from './epilogue.ts';

export interface Variant {
  transpose_a: boolean;
  transpose_b: boolean;
  /** Rows of A, B and C are multiples of four values, and are read and written as vec4. */
  vec_a: boolean;
  vec_b: boolean;
  vec_c: boolean;
  /** M is not a multiple of BM, N not of BN, K not of BK. */
  m_edge: boolean;
  n_edge: boolean;
  k_edge: boolean;
  float16: Float16Slots;
  epilogue: Epilogue;
}
