/** The slow halves of `inlined/lanes.ts`, which are not inlined. */

/** The first `count` values at `address` (1, 2 or 3), then zeros. */
export function loadFirst(address: usize, count: i32): v128 {
  if (count == 1) return v128.load32_zero(address);
  const two = v128.load64_zero(address);
  return count == 2 ? two : f32x4.replace_lane(two, 2, load<f32>(address, 8));
}

/** Stores the first `count` lanes (1, 2 or 3). */
export function storeFirst(address: usize, value: v128, count: i32): void {
  store<f32>(address, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(address, f32x4.extract_lane(value, 1), 4);
  if (count > 2) store<f32>(address, f32x4.extract_lane(value, 2), 8);
}
