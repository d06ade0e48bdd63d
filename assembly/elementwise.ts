/** Elementwise kernels over whole tensors. */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { splat } from './inlined/simd';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk: enough that claiming it costs nothing. */
const CHUNK: i32 = 8192;

/** Fills: values [n]; n, value. */
export function fill_in_place(args: usize): void {
  const values = pointerAt(args, 0);
  const n = intAt(args, 1);
  const value = floatAt(args, 2);
  const four = splat(value);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    let i = chunk * CHUNK;
    for (; i + 4 <= end; i += 4) v128.store(values + ((<usize>i) << 2), four);
    for (; i < end; i++) store<f32>(values + ((<usize>i) << 2), value);
  }
}

/** y [n] = factor x [n], or y += factor x if `add`; n, factor, add. */
export function scale(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const n = intAt(args, 2);
  const factor = floatAt(args, 3);
  const add = intAt(args, 4) != 0;
  const four = splat(factor);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    let i = chunk * CHUNK;
    for (; i + 4 <= end; i += 4) {
      const at = (<usize>i) << 2;
      let value = f32x4.mul(four, v128.load(x + at));
      if (add) value = f32x4.add(value, v128.load(y + at));
      v128.store(y + at, value);
    }
    for (; i < end; i++) {
      const at = (<usize>i) << 2;
      let value = factor * load<f32>(x + at);
      if (add) value += load<f32>(y + at);
      store<f32>(y + at, value);
    }
  }
}

/** target [n] += source [n]; n. */
export function add_in_place(args: usize): void {
  const target = pointerAt(args, 0);
  const source = pointerAt(args, 1);
  const n = intAt(args, 2);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    let i = chunk * CHUNK;
    for (; i + 4 <= end; i += 4) {
      const at = (<usize>i) << 2;
      v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(source + at)));
    }
    for (; i < end; i++) {
      const at = (<usize>i) << 2;
      store<f32>(target + at, load<f32>(target + at) + load<f32>(source + at));
    }
  }
}

/** target [n] = source [n]; n. */
export function copy_in_place(args: usize): void {
  const target = pointerAt(args, 0);
  const source = pointerAt(args, 1);
  const n = intAt(args, 2);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const begin = chunk * CHUNK;
    const size = (<usize>(min(n, begin + CHUNK) - begin)) << 2;
    const at = (<usize>begin) << 2;
    memory.copy(target + at, source + at, size);
  }
}
