/** The sum of two tensors. */
import { intAt, pointerAt } from './inlined/args';
import { claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 8192;

/** sum [n] = a [n] + b [n]; n. */
export function add(args: usize): void {
  const sum = pointerAt(args, 0);
  const a = pointerAt(args, 1);
  const b = pointerAt(args, 2);
  const bytes = (<usize>intAt(args, 3)) << 2;
  const size = (<usize>CHUNK) << 2;
  for (let begin = <usize>claim() * size; begin < bytes; begin = <usize>claim() * size) {
    const end = min(bytes, begin + size);
    let at = begin;
    for (; at + 16 <= end; at += 16) {
      v128.store(sum + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
    }
    for (; at < end; at += 4) store<f32>(sum + at, load<f32>(a + at) + load<f32>(b + at));
  }
}
