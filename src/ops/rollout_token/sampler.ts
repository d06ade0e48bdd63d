/**
 * What `rollout_token` does to one row, in JavaScript and float64: the oracle of its kernels, and
 * the way of backends without kernels.
 */
import { sampleToken, uniformAt, uniformBits } from '../sample_token/sampler.ts';

export interface PolicyOptions {
  /** 0 takes the likeliest token. */
  temperature: number;
  /** Ids from this one on are never chosen; 0 if there is no limit. */
  vocab_limit: number;
}

export interface PolicyToken {
  id: number;
  /** log softmax(logits / temperature)[id] over the whole vocabulary; of the model itself at 0. */
  logp: number;
}

/** Seed of a row of a rollout. */
export function rowSeed(seed: number, row: number): number {
  return uniformBits(seed, row) | 0;
}

/** Draws a token from softmax(logits / temperature); the draw is a function of (seed, index). */
export function policyToken(
  logits: Float32Array,
  { temperature, vocab_limit }: PolicyOptions,
  draw: { seed: number; index: number },
): PolicyToken {
  const limit = vocab_limit > 0 ? Math.min(vocab_limit, logits.length) : logits.length;
  const plain = { temperature, top_k: 0, top_p: 1, min_p: 0 };
  const { id } = sampleToken(logits.subarray(0, limit), plain, uniformAt(draw.seed, draw.index));
  return { id, logp: logProbability(logits, id, temperature > 0 ? temperature : 1) };
}

function logProbability(logits: Float32Array, id: number, temperature: number): number {
  let top = -Infinity;
  for (const x of logits) top = Math.max(top, x);
  let sum = 0;
  for (const x of logits) sum += Math.exp((x - top) / temperature);
  return ((logits[id] ?? NaN) - top) / temperature - Math.log(sum);
}
