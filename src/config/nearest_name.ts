/** "Did you mean ...?" for a mistyped name. */

/** Longer keys are not compared, since the edit distance takes time proportional to the length. */
const MAX_KEY_LENGTH = 60;
/** A name further away than this was not meant. */
const MAX_DISTANCE = 3;

/**
 * The known name (`section.field`) nearest to `key` by edit distance, the first one of equally near
 * names; undefined if none is near. A key without a dot is also compared with the bare field names.
 */
export function nearestName(key: string, known: readonly string[]): string | undefined {
  if (key.length > MAX_KEY_LENGTH) return undefined;
  let nearest: string | undefined;
  let least = MAX_DISTANCE + 1;
  for (const name of known) {
    let distance = distanceWithin(key, name);
    if (!key.includes('.')) {
      const field = name.slice(name.indexOf('.') + 1);
      distance = Math.min(distance, distanceWithin(key, field));
    }
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** The edit distance, or Infinity if the lengths alone say that it is too large. */
const distanceWithin = (a: string, b: string): number =>
  Math.abs(a.length - b.length) > MAX_DISTANCE ? Infinity : editDistance(a, b);

/** Levenshtein distance: the number of insertions, deletions and substitutions. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const deletion = row[j]! + 1;
      const insertion = next[j - 1]! + 1;
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(deletion, insertion, substitution));
    }
    row = next;
  }
  return row[b.length]!;
}
