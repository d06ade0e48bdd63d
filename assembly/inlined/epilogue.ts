/**
 * The activations of a product's epilogue, by their code in src/ops/activation/functions.ts. With a
 * constant code, only its function is left after inlining.
 */
import { strideOfC } from '../products_layout';
import {
  exactGelu4,
  exactGeluDerivative4,
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
  if (code == 3) return exactGelu4(u);
  return silu4(u);
}

export function derivative4(code: i32, u: v128): v128 {
  if (code == 0) return geluDerivative4(u);
  if (code == 1) return relu2DerivativeOf4(u);
  if (code == 3) return exactGeluDerivative4(u);
  return siluDerivative4(u);
}

/** Stores the activation of eight columns of C at `shift` bytes from them. */
export function activateEight(code: i32, c: usize, height: i32, shift: usize): void {
  const next = strideOfC;
  for (; height > 0; height--) {
    const low = activate4(code, v128.load(c));
    const high = activate4(code, v128.load(c, 16));
    v128.store(c + shift, low);
    v128.store(c + shift, high, 16);
    c += next;
  }
}

/** Multiplies eight columns of C by the derivative at the values `shift` bytes from them. */
export function deriveEight(code: i32, c: usize, height: i32, shift: usize): void {
  const next = strideOfC;
  for (; height > 0; height--) {
    const low = derivative4(code, v128.load(c + shift));
    const high = derivative4(code, v128.load(c + shift, 16));
    v128.store(c, f32x4.mul(v128.load(c), low));
    v128.store(c, f32x4.mul(v128.load(c, 16), high), 16);
    c += next;
  }
}
