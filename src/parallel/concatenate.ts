/** All values in one array, one part after the other [sum of the lengths]. Always a copy. */
export function concatenate(parts: readonly ArrayLike<number>[]): Float32Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const values = new Float32Array(length);
  let offset = 0;
  for (const part of parts) {
    values.set(part, offset);
    offset += part.length;
  }
  return values;
}
