/** Rotary position embedding of the query and key heads of a packed qkv. */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { fma, splat } from './inlined/simd';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 16384;

/** Bytes of half a head. */
let half: usize = 0;

/**
 * y, qkv [rows, width], positions int32 [rows], table [positions, head_dim]; rows, width, the number
 * of columns that are rotated, head_dim, and 1 or -1 for the direction. The other columns are copied.
 */
export function rope(args: usize): void {
  const y = pointerAt(args, 0);
  const qkv = pointerAt(args, 1);
  const positions = pointerAt(args, 2);
  const table = pointerAt(args, 3);
  const rows = intAt(args, 4);
  const width = intAt(args, 5);
  const rotated = (<usize>intAt(args, 6)) << 2;
  const headBytes = (<usize>intAt(args, 7)) << 2;
  const sign = floatAt(args, 8);
  half = headBytes >> 1;
  const rowBytes = (<usize>width) << 2;
  const perChunk = max(1, CHUNK / width);
  const chunks = chunksOf(rows, perChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * perChunk);
    for (let row = chunk * perChunk; row < end; row++) {
      const position = <usize>load<i32>(positions + ((<usize>row) << 2));
      const angles = table + position * headBytes;
      const from = qkv + <usize>row * rowBytes;
      const to = y + <usize>row * rowBytes;
      for (let head: usize = 0; head < rotated; head += headBytes)
        rotateHead(to + head, from + head, angles, sign);
      memory.copy(to + rotated, from + rotated, rowBytes - rotated);
    }
  }
}

function rotateHead(to: usize, from: usize, angles: usize, sign: f32): void {
  const four = splat(sign);
  const body = half & ~15;
  let at: usize = 0;
  for (; at < body; at += 16) {
    const cos = v128.load(angles + at);
    const sin = f32x4.mul(four, v128.load(angles + half + at));
    const first = v128.load(from + at);
    const second = v128.load(from + half + at);
    v128.store(to + at, fma(first, cos, f32x4.neg(f32x4.mul(second, sin))));
    v128.store(to + half + at, fma(second, cos, f32x4.mul(first, sin)));
  }
  for (; at < half; at += 4) {
    const cos = load<f32>(angles + at);
    const sin = sign * load<f32>(angles + half + at);
    const first = load<f32>(from + at);
    const second = load<f32>(from + half + at);
    store<f32>(to + at, first * cos - second * sin);
    store<f32>(to + half + at, second * cos + first * sin);
  }
}
