/** Extends heads to a multiple of eight values, as kernels of attention need, and cuts them again. */
import { intAt, pointerAt } from './inlined/args';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 8192;

/** target [heads, to], source [heads, from]; heads, to, from. Cuts heads, or extends them by zeros. */
export function resize_heads(args: usize): void {
  const target = pointerAt(args, 0);
  const source = pointerAt(args, 1);
  const heads = intAt(args, 2);
  const to = (<usize>intAt(args, 3)) << 2;
  const from = (<usize>intAt(args, 4)) << 2;
  const perChunk = max(1, (CHUNK << 2) / <i32>to);
  const chunks = chunksOf(heads, perChunk);
  const copied = min(to, from);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(heads, (chunk + 1) * perChunk);
    for (let head = chunk * perChunk; head < end; head++) {
      const at = target + <usize>head * to;
      const row = source + <usize>head * from;
      for (let offset: usize = 0; offset < copied; offset += 4)
        store<f32>(at + offset, load<f32>(row + offset));
      for (let offset = copied; offset < to; offset += 4) store<f32>(at + offset, 0);
    }
  }
}
