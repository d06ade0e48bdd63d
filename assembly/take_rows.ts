/** Rows of a matrix by index, and the gradient. */
import { intAt, pointerAt } from './inlined/args';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 8192;

/** y [count, width], x [n, width], rows int32 [count]; count, width. */
export function take_rows(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const rows = pointerAt(args, 2);
  const count = intAt(args, 3);
  const width = intAt(args, 4);
  const bytes = (<usize>width) << 2;
  const perChunk = max(1, CHUNK / width);
  const chunks = chunksOf(count, perChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(count, (chunk + 1) * perChunk);
    for (let r = chunk * perChunk; r < end; r++) {
      const row = <usize>load<i32>(rows + ((<usize>r) << 2));
      memory.copy(y + <usize>r * bytes, x + row * bytes, bytes);
    }
  }
}

/**
 * dx [n, width], dy [count, width], rows int32 [count]; n, count, width. Each chunk owns rows of dx,
 * and adds the rows of dy that were taken from them, in their order.
 */
export function take_rows_grad(args: usize): void {
  const dx = pointerAt(args, 0);
  const dy = pointerAt(args, 1);
  const rows = pointerAt(args, 2);
  const n = intAt(args, 3);
  const count = intAt(args, 4);
  const width = intAt(args, 5);
  const bytes = (<usize>width) << 2;
  const perChunk = max(1, CHUNK / width);
  const chunks = chunksOf(n, perChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const begin = chunk * perChunk;
    const end = min(n, begin + perChunk);
    memory.fill(dx + <usize>begin * bytes, 0, <usize>(end - begin) * bytes);
    for (let r = 0; r < count; r++) {
      const row = load<i32>(rows + ((<usize>r) << 2));
      if (row >= begin && row < end) addRow(dx + <usize>row * bytes, dy + <usize>r * bytes, bytes);
    }
  }
}

function addRow(target: usize, source: usize, bytes: usize): void {
  const body = bytes & ~15;
  let at: usize = 0;
  for (; at < body; at += 16)
    v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(source + at)));
  for (; at < bytes; at += 4)
    store<f32>(target + at, load<f32>(target + at) + load<f32>(source + at));
}
