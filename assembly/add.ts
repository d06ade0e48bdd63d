/** The sum of two tensors. */
import { addressOf, intAt, pointerAt } from './inlined/args';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. A multiple of 4. */
const CHUNK: i32 = 8192;

/** sum [n] = a [n] + b [n]; n. */
export function add(args: usize): void {
  const sum = pointerAt(args, 0);
  const a = pointerAt(args, 1);
  const b = pointerAt(args, 2);
  const n = intAt(args, 3);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = addressOf(0, min(n, (chunk + 1) * CHUNK));
    let at = addressOf(0, chunk * CHUNK);
    for (; at + 16 <= end; at += 16) {
      v128.store(sum + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
    }
    for (; at < end; at += 4) store<f32>(sum + at, load<f32>(a + at) + load<f32>(b + at));
  }
}
