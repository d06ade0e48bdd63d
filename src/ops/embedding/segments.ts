/**
 * Groups rows by id, as a sparse row matrix does: `sorted` [N] lists the positions 0..N-1 ordered
 * by id and, within an id, by position; those of id v are sorted[starts[v] .. starts[v + 1]). With
 * them, the gradient of an embedding is a sum in a fixed order and needs no float atomics. A
 * counting sort: O(N + size). Throws a RangeError for an id outside 0..size-1.
 */
export function sortSegments(
  ids: Int32Array,
  size: number,
): { sorted: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(size + 1);
  const sorted = new Int32Array(ids.length);
  for (const id of ids) {
    if (!(id >= 0 && id < size))
      throw new RangeError(`Token id ${id} is outside the vocabulary of ${size}.`);
    starts[id + 1] = (starts[id + 1] ?? 0) + 1;
  }
  for (let v = 0; v < size; v++) starts[v + 1] = (starts[v + 1] ?? 0) + (starts[v] ?? 0);
  const next = starts.slice(0, size);
  ids.forEach((id, position) => {
    const slot = next[id] ?? 0;
    sorted[slot] = position;
    next[id] = slot + 1;
  });
  return { sorted, starts };
}
