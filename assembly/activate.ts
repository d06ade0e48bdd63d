/** Activation functions by themselves; `code` is that of src/ops/activation/functions.ts. */
import { intAt, pointerAt } from './inlined/args';
import { activate4, derivative4 } from './inlined/epilogue';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. A multiple of 4. */
const CHUNK: i32 = 4096;

/** y [n] = f(x) of x [n]; n, code. */
export function activate(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const n = intAt(args, 2);
  const code = intAt(args, 3);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = (<usize>min(n, (chunk + 1) * CHUNK)) << 2;
    let at = (<usize>(chunk * CHUNK)) << 2;
    for (; at + 16 <= end; at += 16) v128.store(y + at, activate4(code, v128.load(x + at)));
    for (; at < end; at += 4) {
      v128.store_lane<f32>(y + at, activate4(code, v128.load32_zero(x + at)), 0);
    }
  }
}

/** dx [n] = dy f'(x) of x [n], dy [n]; n, code. */
export function activate_gradient(args: usize): void {
  const dx = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const dy = pointerAt(args, 2);
  const n = intAt(args, 3);
  const code = intAt(args, 4);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = (<usize>min(n, (chunk + 1) * CHUNK)) << 2;
    let at = (<usize>(chunk * CHUNK)) << 2;
    for (; at + 16 <= end; at += 16) {
      const slope = derivative4(code, v128.load(x + at));
      v128.store(dx + at, f32x4.mul(v128.load(dy + at), slope));
    }
    for (; at < end; at += 4) {
      const slope = derivative4(code, v128.load32_zero(x + at));
      v128.store_lane<f32>(dx + at, f32x4.mul(v128.load32_zero(dy + at), slope), 0);
    }
  }
}
