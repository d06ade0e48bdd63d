/** Copies the keys and values of a packed qkv into a KV cache. */
import { intAt, pointerAt } from './inlined/args';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Rows of a chunk. */
const CHUNK: i32 = 16;

/**
 * cache [sequences cache_rows, width of keys and values], qkv [rows, width], positions int32 [rows];
 * rows, width of keys and values, width, their first column, rows of a sequence, cache_rows. Rows
 * whose position is beyond the cache are skipped.
 */
export function cache_write(args: usize): void {
  const cache = pointerAt(args, 0);
  const qkv = pointerAt(args, 1);
  const positions = pointerAt(args, 2);
  const rows = intAt(args, 3);
  const bytes = (<usize>intAt(args, 4)) << 2;
  const rowBytes = (<usize>intAt(args, 5)) << 2;
  const first = (<usize>intAt(args, 6)) << 2;
  const rowsOfSequence = intAt(args, 7);
  const cacheRows = intAt(args, 8);
  const chunks = chunksOf(rows, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * CHUNK);
    for (let row = chunk * CHUNK; row < end; row++) {
      const position = load<i32>(positions + ((<usize>row) << 2));
      if (position >= cacheRows) continue;
      const target = <usize>((row / rowsOfSequence) * cacheRows + position);
      memory.copy(cache + target * bytes, qkv + <usize>row * rowBytes + first, bytes);
    }
  }
}
