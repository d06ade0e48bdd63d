/** Masked sums of the log-probabilities of each sequence's tokens, and the gradient. */
import { intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf } from './inlined/simd';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 8192;

/** sums and counts [B], logps and weights [B T]; B, T. Tokens of weight 0 contribute nothing. */
export function sequence_logps(args: usize): void {
  const sums = pointerAt(args, 0);
  const counts = pointerAt(args, 1);
  const logps = pointerAt(args, 2);
  const weights = pointerAt(args, 3);
  const sequences = intAt(args, 4);
  const tokens = intAt(args, 5);
  const perChunk = max(1, CHUNK / tokens);
  const chunks = chunksOf(sequences, perChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(sequences, (chunk + 1) * perChunk);
    for (let b = chunk * perChunk; b < end; b++) {
      const first = (<usize>(b * tokens)) << 2;
      const at = (<usize>b) << 2;
      store<f32>(sums + at, weightedSum(logps + first, weights + first, tokens));
      store<f32>(counts + at, sumOfValues(weights + first, tokens));
    }
  }
}

/** The sum of weights x values over the values whose weight is not 0. */
function weightedSum(values: usize, weights: usize, n: i32): f32 {
  const bytes = (<usize>n) << 2;
  const body = bytes & ~15;
  let at: usize = 0;
  let four = splat(0);
  for (; at < body; at += 16) {
    const weight = v128.load(weights + at);
    // The value of a masked token may be infinite: 0 times infinity is not a number.
    const value = v128.and(v128.load(values + at), f32x4.ne(weight, splat(0)));
    four = fma(weight, value, four);
  }
  let sum = sumOf(four);
  for (; at < bytes; at += 4) {
    const weight = load<f32>(weights + at);
    if (weight != 0) sum += weight * load<f32>(values + at);
  }
  return sum;
}

function sumOfValues(values: usize, n: i32): f32 {
  const bytes = (<usize>n) << 2;
  const body = bytes & ~15;
  let at: usize = 0;
  let four = splat(0);
  for (; at < body; at += 16) four = f32x4.add(four, v128.load(values + at));
  let sum = sumOf(four);
  for (; at < bytes; at += 4) sum += load<f32>(values + at);
  return sum;
}

/** dlogps [B T], dsums [B], weights [B T]; B, T. */
export function sequence_logps_grad(args: usize): void {
  const dlogps = pointerAt(args, 0);
  const dsums = pointerAt(args, 1);
  const weights = pointerAt(args, 2);
  const sequences = intAt(args, 3);
  const tokens = intAt(args, 4);
  const perChunk = max(1, CHUNK / tokens);
  const chunks = chunksOf(sequences, perChunk);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(sequences, (chunk + 1) * perChunk);
    for (let b = chunk * perChunk; b < end; b++) {
      const first = (<usize>(b * tokens)) << 2;
      const dsum = load<f32>(dsums + ((<usize>b) << 2));
      for (let at = first; at < first + ((<usize>tokens) << 2); at += 4)
        store<f32>(dlogps + at, load<f32>(weights + at) * dsum);
    }
  }
}
