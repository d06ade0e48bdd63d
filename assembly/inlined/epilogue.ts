/** The activations of a product's epilogue, by their code in src/ops/activation/functions.ts. */
import {
  gelu4,
  geluDerivative4,
  relu2DerivativeOf4,
  relu2Of4,
  silu4,
  siluDerivative4,
} from './activations';

export function activate4(code: i32, u: v128): v128 {
  if (code == 0) return gelu4(u);
  if (code == 1) return relu2Of4(u);
  return silu4(u);
}

export function derivative4(code: i32, u: v128): v128 {
  if (code == 0) return geluDerivative4(u);
  if (code == 1) return relu2DerivativeOf4(u);
  return siluDerivative4(u);
}
