/** Vocabulary entries in GPT-2's byte alphabet, as bytes. */
import { byteOfPoint } from './byte_level.ts';
import type { Ints } from './ints.ts';
import { MAX_STRING } from './json_string.ts';

/**
 * Receives the bytes of entries, one after another; has room for the two longest strings that are
 * read, as a merge has two.
 */
export const scratch = new Uint8Array(2 * MAX_STRING);

/**
 * Writes the bytes of code points [from, to) into `scratch`, starting at `offset`.
 *
 * @returns The number of bytes, or -1 if a code point has no byte.
 */
export function entryBytes(points: Ints, offset: number, from = 0, to = points.length): number {
  for (let i = from; i < to; i++) {
    const byte = byteOfPoint(points.data[i]!);
    if (byte < 0) return -1;
    scratch[offset + i - from] = byte;
  }
  return to - from;
}
