/**
 * Arguments of a kernel: 32-bit words, in the order of `runOnProcessor` in src/backend/: addresses
 * of `writes`, `updates` and `reads` (0 where an optional tensor is absent), then `params`.
 */

/** Word `index` as the address of a tensor's first value. */
export function pointerAt(args: usize, index: usize): usize {
  return load<usize>(args + (index << 2));
}

/** Word `index` as an integer. */
export function intAt(args: usize, index: usize): i32 {
  return load<i32>(args + (index << 2));
}

/** Word `index` as a float32. */
export function floatAt(args: usize, index: usize): f32 {
  return load<f32>(args + (index << 2));
}

/** Address of value `index` of a float32 or int32 tensor. */
export function addressOf(tensor: usize, index: i32): usize {
  return tensor + ((<usize>index) << 2);
}
