/**
 * M4: of every horizontal bucket the first, the lowest, the highest and the last point stay.
 *
 * A line drawn from these touches the same pixels as the line through all points when a bucket is a
 * pixel wide (U. Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB
 * 2014), so a spike of one step survives any decimation.
 */

/**
 * Indices of the points to draw of the columns `x` (ascending) and `y`, at most `budget` of them,
 * ascending. Only points with `from <= x <= to` and one neighbour on either side are considered.
 */
export function m4(
  x: Float64Array,
  y: Float64Array,
  budget: number,
  { from = -Infinity, to = Infinity }: { from?: number; to?: number } = {},
): number[] {
  const start = Math.max(0, lowerBound(x, from) - 1);
  const end = Math.min(x.length, lowerBound(x, to) + 2);
  const count = end - start;
  if (count <= 0) return [];
  if (count <= budget) return Array.from({ length: count }, (_, i) => start + i);
  const buckets = Math.max(1, Math.floor(budget / 4));
  const x0 = x[start] ?? 0;
  const span = (x[end - 1] ?? 0) - x0 || 1;
  const kept: number[] = [];
  let bucketStart = start;
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const limit = bucket === buckets - 1 ? Infinity : x0 + (span * (bucket + 1)) / buckets;
    let bucketEnd = bucketStart;
    while (bucketEnd < end && (x[bucketEnd] ?? Infinity) < limit) bucketEnd += 1;
    if (bucket === buckets - 1) bucketEnd = end;
    keepFour(y, bucketStart, bucketEnd, kept);
    bucketStart = bucketEnd;
  }
  return kept;
}

function keepFour(y: Float64Array, start: number, end: number, kept: number[]): void {
  if (end <= start) return;
  let low = start;
  let high = start;
  for (let i = start + 1; i < end; i += 1) {
    if ((y[i] ?? NaN) < (y[low] ?? NaN)) low = i;
    if ((y[i] ?? NaN) > (y[high] ?? NaN)) high = i;
  }
  const four = new Set([start, Math.min(low, high), Math.max(low, high), end - 1]);
  for (const index of four) kept.push(index);
}

/** First index whose value is not below `bound`. */
export function lowerBound(x: Float64Array, bound: number): number {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((x[middle] ?? 0) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Exponential moving average, bias-corrected as Adam's moments are (Kingma & Ba 2015, section 3),
 * so that it starts at the first value rather than at zero.
 *
 * Its span is `share` times the distance of a point from the first one: after 100 steps at
 * `share` 0.03, a value 3 steps back has 1/e of the weight. A span that is constant lags behind the
 * steep start of a loss, and one that follows the final length changes what was drawn before.
 *
 * `x` is ascending.
 */
export function movingAverage(x: Float64Array, y: Float64Array, share: number): Float64Array {
  const out = new Float64Array(y.length);
  const origin = x[0] ?? 0;
  let previous = origin;
  let sum = 0;
  let weight = 0;
  for (let i = 0; i < y.length; i += 1) {
    const at = x[i] ?? 0;
    const span = share * (at - origin);
    const keep = span > 0 ? Math.exp((previous - at) / span) : 0;
    sum = keep * sum + (1 - keep) * (y[i] ?? 0);
    weight = keep * weight + (1 - keep);
    out[i] = sum / weight;
    previous = at;
  }
  return out;
}
