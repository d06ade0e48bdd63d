/**
 * Picks the next token from logits: temperature, top-k, top-p (nucleus, Holtzman et al. 2020) and
 * min-p (Nguyen et al. 2024), applied in the order of transformers' logits processors. In
 * JavaScript: what backends without kernels sample with, and what the kernel of `sample_token` is
 * checked by.
 */

export interface SamplingOptions {
  temperature: number;
  top_k: number;
  top_p: number;
  min_p: number;
}

export interface Choice {
  id: number;
  /** Under the model itself, before temperature and truncation. */
  probability: number;
  /** The likeliest tokens under the model, best first, the chosen one left out. */
  rivals: { id: number; probability: number }[];
}

export const RIVALS = 4;

/** `u` is uniform in [0, 1). Temperature 0 takes the likeliest token. Logits must be finite. */
export function sampleToken(logits: Float32Array, options: SamplingOptions, u: number): Choice {
  const probabilities = softmax(logits, 1);
  const order = largest(logits, RIVALS + 1);
  const id = options.temperature === 0 ? (order[0] ?? 0) : draw(logits, options, u);
  return {
    id,
    probability: probabilities[id] ?? 0,
    rivals: order
      .filter((i) => i !== id)
      .slice(0, RIVALS)
      .map((i) => ({ id: i, probability: probabilities[i] ?? 0 })),
  };
}

function softmax(logits: Float32Array, temperature: number): Float64Array {
  let max = -Infinity;
  let sum = 0;
  for (const x of logits) if (x > max) max = x;
  const p = new Float64Array(logits.length);
  for (let i = 0; i < p.length; i++)
    sum += p[i] = Math.exp(((logits[i] ?? -Infinity) - max) / temperature);
  for (let i = 0; i < p.length; i++) p[i] = (p[i] ?? 0) / sum;
  return p;
}

/** Indices of the `n` largest values, largest first; of equals the first. */
function largest(values: Float32Array, n: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === n && (values[i] ?? 0) <= (values[best[n - 1] ?? 0] ?? 0)) continue;
    let at = best.length;
    while (at > 0 && (values[i] ?? 0) > (values[best[at - 1] ?? 0] ?? 0)) at--;
    best.splice(at, 0, i);
    if (best.length > n) best.pop();
  }
  return best;
}

function draw(
  logits: Float32Array,
  { temperature, top_k, top_p, min_p }: SamplingOptions,
  u: number,
): number {
  const p = softmax(logits, temperature);
  let kept = Array.from(p.keys());
  if (top_k > 0 || top_p < 1) kept.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  if (top_k > 0) kept = kept.slice(0, top_k);
  const mass = (ids: readonly number[]): number => ids.reduce((s, i) => s + (p[i] ?? 0), 0);
  if (top_p < 1) {
    // Keeps the smallest set whose mass reaches top_p; the likeliest token always stays.
    const total = mass(kept);
    let sum = 0;
    const end = kept.findIndex((i) => (sum += (p[i] ?? 0) / total) >= top_p);
    if (end >= 0) kept = kept.slice(0, end + 1);
  }
  if (min_p > 0) {
    const top = kept.reduce((m, i) => Math.max(m, p[i] ?? 0), 0);
    kept = kept.filter((i) => (p[i] ?? 0) >= min_p * top);
  }
  let rest = u * mass(kept);
  for (const i of kept) if ((rest -= p[i] ?? 0) < 0) return i;
  return kept[kept.length - 1] ?? 0;
}

/** Uniform in [0, 1) as a function of seed and position, so that a sample can be made again. */
export const uniformAt = (seed: number, position: number): number =>
  uniformBits(seed, position) / 2 ** 32;

/** Its 32 bits. The same arithmetic stands in `sample_token.wgsl`; change both. */
export function uniformBits(seed: number, position: number): number {
  let h = Math.imul((seed ^ 0x9e3779b9) >>> 0, 0x85ebca6b) ^ Math.imul(position + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
