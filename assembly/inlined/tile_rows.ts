/** Stores a row of a tile, with an addend if there is one. */
import { addendShift, hasAddend } from '../products_layout';

/** Eight values. */
export function storeEight(c: usize, low: v128, high: v128): void {
  if (hasAddend) {
    const addend = c + addendShift;
    v128.store(c, f32x4.add(low, v128.load(addend)));
    v128.store(c, f32x4.add(high, v128.load(addend, 16)), 16);
  } else {
    v128.store(c, low);
    v128.store(c, high, 16);
  }
}

/** Four values. */
export function storeFour(c: usize, values: v128): void {
  v128.store(c, hasAddend ? f32x4.add(values, v128.load(c + addendShift)) : values);
}
