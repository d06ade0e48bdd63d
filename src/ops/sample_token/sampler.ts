/**
 * Samples the next token from logits with temperature, top-k, top-p (nucleus sampling, Holtzman et
 * al. 2020) and min-p (Nguyen et al. 2024), applied in the order of transformers' logits
 * processors. It runs in JavaScript: backends without kernels sample with it, and the kernels of
 * `sample_token` are checked against it.
 */

export interface SamplingOptions {
  /** 0 always takes the likeliest token. */
  temperature: number;
  /** Keeps this many of the likeliest tokens; 0 keeps all. */
  top_k: number;
  /** Keeps the smallest set of likeliest tokens with this share of the probability; 1 keeps all. */
  top_p: number;
  /** Keeps tokens at least this many times as likely as the likeliest one; 0 keeps all. */
  min_p: number;
}

export interface Choice {
  id: number;
  /** Under the model itself, before temperature and truncation. */
  probability: number;
  /** The likeliest other tokens under the model, best first. */
  rivals: { id: number; probability: number }[];
}

/** Number of `rivals` in a Choice. */
export const RIVALS = 4;

/**
 * Chooses a token.
 *
 * @param logits of the whole vocabulary; they must be finite.
 * @param u the random draw, uniform in [0, 1).
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, u: number): Choice {
  const probabilities = softmax(logits, 1);
  const likeliest = indicesOfLargest(logits, RIVALS + 1);
  const id = options.temperature === 0 ? (likeliest[0] ?? 0) : draw(logits, options, u);
  const rivals = likeliest.filter((other) => other !== id).slice(0, RIVALS);
  return {
    id,
    probability: probabilities[id] ?? 0,
    rivals: rivals.map((other) => ({ id: other, probability: probabilities[other] ?? 0 })),
  };
}

function softmax(logits: Float32Array, temperature: number): Float64Array {
  let max = -Infinity;
  for (const x of logits) max = Math.max(max, x);
  const probabilities = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const e = Math.exp(((logits[i] ?? -Infinity) - max) / temperature);
    probabilities[i] = e;
    sum += e;
  }
  return probabilities.map((e) => e / sum);
}

/** Indices of the `n` largest values, largest first, and lower indices first among equal values. */
function indicesOfLargest(values: Float32Array, n: number): number[] {
  const valueAt = (index = 0): number => values[index] ?? 0;
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === n && valueAt(i) <= valueAt(best[n - 1])) continue;
    let position = best.length;
    while (position > 0 && valueAt(i) > valueAt(best[position - 1])) position--;
    best.splice(position, 0, i);
    if (best.length > n) best.pop();
  }
  return best;
}

/** Draws from the softmax at this temperature, truncated by top-k, top-p and min-p in this order. */
function draw(logits: Float32Array, options: SamplingOptions, u: number): number {
  const { temperature, top_k, top_p, min_p } = options;
  const probabilities = softmax(logits, temperature);
  let kept = Array.from(probabilities.keys());
  if (top_k > 0 || top_p < 1) kept.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  if (top_k > 0) kept = kept.slice(0, top_k);
  if (top_p < 1) kept = keepTopP(kept, probabilities, top_p);
  if (min_p > 0) kept = keepMinP(kept, probabilities, min_p);
  let rest = u * totalProbability(kept, probabilities);
  for (const id of kept) {
    rest -= probabilities[id] ?? 0;
    if (rest < 0) return id;
  }
  // Rounding can leave a rest of about 0 after the last token.
  return kept[kept.length - 1] ?? 0;
}

const totalProbability = (ids: readonly number[], probabilities: Float64Array): number =>
  ids.reduce((sum, id) => sum + (probabilities[id] ?? 0), 0);

/**
 * The shortest prefix of `ids` with at least the share `top_p` of their probability; never empty.
 */
function keepTopP(ids: readonly number[], probabilities: Float64Array, top_p: number): number[] {
  const total = totalProbability(ids, probabilities);
  let sum = 0;
  const last = ids.findIndex((id) => {
    sum += (probabilities[id] ?? 0) / total;
    return sum >= top_p;
  });
  return last < 0 ? [...ids] : ids.slice(0, last + 1);
}

function keepMinP(ids: readonly number[], probabilities: Float64Array, min_p: number): number[] {
  const largest = ids.reduce((max, id) => Math.max(max, probabilities[id] ?? 0), 0);
  return ids.filter((id) => (probabilities[id] ?? 0) >= min_p * largest);
}

/**
 * A number uniform in [0, 1) as a pure function of the seed and the position, so that a sample can
 * be reproduced.
 */
export const uniformAt = (seed: number, position: number): number =>
  uniformBits(seed, position) / 2 ** 32;

/**
 * The 32 bits of `uniformAt`. `draw.wgsl` and `assembly/inlined/random.ts` implement the
 * same arithmetic; change all three.
 */
export function uniformBits(seed: number, position: number): number {
  let h = Math.imul((seed ^ 0x9e3779b9) >>> 0, 0x85ebca6b) ^ Math.imul(position + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
