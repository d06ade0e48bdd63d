import { sortSegments } from './segments.ts';

/**
 * `sortSegments` of ids of which some are negative, because another rank holds their rows: those are
 * in no segment, and at the end of `sorted`. Throws a RangeError for an id of `size` or more.
 */
export function sortLocalSegments(
  ids: Int32Array,
  size: number,
): { sorted: Int32Array; starts: Int32Array } {
  for (const id of ids) {
    if (id >= size) throw new RangeError(`Token id ${id} is outside the table of ${size} rows.`);
  }
  const moved = ids.map((id) => (id < 0 ? size : id));
  const { sorted, starts } = sortSegments(moved, size + 1);
  return { sorted, starts: starts.slice(0, size + 1) };
}
