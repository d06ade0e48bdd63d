/** Keys and values of the current part, and their gradients, which a block of queries adds to. */
import { headBytes, keyHeads, packedBytes } from './attention_shape';
import { packRows, unpackRows } from './attention_packing';
import { gradients, packed, packedAt, partEnd, partFirst } from './attention_grad_state';
import { keyStride, setKeyStride } from './attention_tiles';

/** Keys, values and their gradients are packed if they take no more scratch memory than this. */
const MOST_PACKED: usize = 2 << 20;

/** The part's keys, values and their gradients: rows `keyStride` apart, packed or in the tensors. */
export let keys: usize = 0;
export let values: usize = 0;
export let keyGradients: usize = 0;
export let valueGradients: usize = 0;

/**
 * Copies the part's keys and values of a head, `at` bytes from the begin of qkv, to scratch memory,
 * where they are contiguous. Returns false, and uses them where they are, if they do not fit.
 */
export function packKeys(at: usize): bool {
  const count = partEnd - partFirst;
  const size = <usize>count * headBytes;
  const valuesAt = at + <usize>keyHeads * headBytes;
  if (size > MOST_PACKED / 4) {
    keys = packed + at;
    values = packed + valuesAt;
    keyGradients = gradients + at;
    valueGradients = gradients + valuesAt;
    setKeyStride(packedBytes);
    return false;
  }
  keys = packedAt;
  values = keys + size;
  keyGradients = values + size;
  valueGradients = keyGradients + size;
  packRows(keys, packed + at, count, packedBytes);
  packRows(values, packed + valuesAt, count, packedBytes);
  setKeyStride(headBytes);
  return true;
}

/** Sets the gradients of keys and values to zero. */
export function clearGradients(): void {
  const rows = <usize>(partEnd - partFirst);
  if (keyStride == headBytes) {
    memory.fill(keyGradients, 0, (rows * headBytes) << 1);
    return;
  }
  for (let row: usize = 0; row < rows; row++) {
    memory.fill(keyGradients + row * keyStride, 0, headBytes);
    memory.fill(valueGradients + row * keyStride, 0, headBytes);
  }
}

/** Writes the packed gradients to those of qkv. */
export function unpackGradients(at: usize): void {
  const count = partEnd - partFirst;
  const target = gradients + at;
  unpackRows(target, keyGradients, count, packedBytes);
  unpackRows(target + <usize>keyHeads * headBytes, valueGradients, count, packedBytes);
}
