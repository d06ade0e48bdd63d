/** Loads and stores of up to four values, for the ends of tensors whose size is no multiple of 4. */
import { loadFirst, storeFirst } from '../lanes';

/** The four values at `address`; of fewer than four that are left, those, then zeros. */
export function loadUpTo4(address: usize, left: i32): v128 {
  return left >= 4 ? v128.load(address) : loadFirst(address, left);
}

/** Stores four values, or only the first `left` of them if fewer are left. */
export function storeUpTo4(address: usize, value: v128, left: i32): void {
  if (left >= 4) v128.store(address, value);
  else storeFirst(address, value, left);
}

/** Zero for values that are smaller in magnitude than `least`; a NaN stays. */
export function flushed(value: v128, least: v128): v128 {
  return v128.andnot(value, f32x4.lt(f32x4.abs(value), least));
}
