/**
 * The next token of each row of a rollout, with its log-probability: sampled by temperature only,
 * and appended to the row's history. The same choices as the host's sampler
 * (src/ops/rollout_token/sampler.ts), in float64 as there.
 */
import { exponential } from './exponential';
import { intAt, pointerAt } from './inlined/args';
import { uniformAt } from './inlined/random';
import { logarithm } from './logarithm';
import { claim } from './threads';

/** The row that this thread samples: its logits [count], and the largest of them. */
let logits: usize = 0;
let count: i32 = 0;
let top: f64 = 0;

function logitOf(id: i32): f64 {
  return <f64>load<f32>(logits + ((<usize>id) << 2));
}

/** e^((logit - top) / temperature). */
function weightOf(id: i32, temperature: f64): f64 {
  const x = f64x2.splat((logitOf(id) - top) / temperature);
  return f64x2.extract_lane(exponential(x), 0);
}

/** The likeliest of the first `limit` ids; the lowest of equally likely ones. */
function likeliest(limit: i32): i32 {
  let best = 0;
  for (let id = 1; id < limit; id++) if (logitOf(id) > logitOf(best)) best = id;
  return best;
}

/** The sum of the weights of the first `limit` ids, two at a time. */
function sumOfWeights(limit: i32, temperature: f64): f64 {
  const largest = f64x2.splat(top);
  const divisor = f64x2.splat(temperature);
  let two = f64x2.splat(0);
  let id = 0;
  for (; id + 2 <= limit; id += 2) {
    const pair = f64x2.promote_low_f32x4(v128.load64_zero(logits + ((<usize>id) << 2)));
    two = f64x2.add(two, exponential(f64x2.div(f64x2.sub(pair, largest), divisor)));
  }
  const sum = f64x2.extract_lane(two, 0) + f64x2.extract_lane(two, 1);
  return id < limit ? sum + weightOf(id, temperature) : sum;
}

/** The id at which the running sum of weights passes `target`. */
function draw(limit: i32, temperature: f64, target: f64): i32 {
  let rest = target;
  for (let id = 0; id < limit; id++) {
    rest -= weightOf(id, temperature);
    if (rest < 0) return id;
  }
  // Rounding can leave a rest of about 0 after the last token.
  return limit - 1;
}

/**
 * Updates ids and positions int32 [B], progress int32 [B, 2], history_ids int32 and history_logps
 * [B, slots]; reads logits [B, V], seeds int32 [B], options [3] (temperature, limit of the
 * vocabulary, stop token); B, V, slots.
 */
export function rollout_token(args: usize): void {
  const allLogits = pointerAt(args, 5);
  const seeds = pointerAt(args, 6);
  const options = pointerAt(args, 7);
  const rows = intAt(args, 8);
  count = intAt(args, 9);
  const given = <i32>load<f32>(options, 4);
  const limit = given > 0 ? min(given, count) : count;
  const temperature = <f64>load<f32>(options);
  for (let row = claim(); row < rows; row = claim()) {
    const progress = pointerAt(args, 2) + ((<usize>row) << 3);
    if (load<i32>(progress, 4) <= 0) continue;
    logits = allLogits + ((<usize>row * <usize>count) << 2);
    let chosen = likeliest(limit);
    top = logitOf(chosen);
    const divisor: f64 = temperature > 0 ? temperature : 1;
    if (temperature > 0) {
      const u = uniformAt(load<u32>(seeds + ((<usize>row) << 2)), load<u32>(progress));
      chosen = draw(limit, divisor, u * sumOfWeights(limit, divisor));
    }
    if (limit < count) top = logitOf(likeliest(count));
    const logp = (logitOf(chosen) - top) / divisor - logarithm(sumOfWeights(count, divisor));
    record(args, row, chosen, <f32>logp);
  }
}

/** Appends the token to the row's history and makes it the next input. */
function record(args: usize, row: i32, token: i32, logp: f32): void {
  const at = (<usize>row) << 2;
  const progress = pointerAt(args, 2) + ((<usize>row) << 3);
  const stop = <i32>load<f32>(pointerAt(args, 7), 8);
  const made = load<i32>(progress);
  const slot = (<usize>(row * intAt(args, 10) + made)) << 2;
  const left = token == stop ? 0 : load<i32>(progress, 4) - 1;
  store<i32>(pointerAt(args, 3) + slot, token);
  store<f32>(pointerAt(args, 4) + slot, logp);
  store<i32>(pointerAt(args, 0) + at, token);
  store<i32>(progress, made + 1);
  store<i32>(progress, left, 4);
  const positions = pointerAt(args, 1) + at;
  if (left > 0) store<i32>(positions, load<i32>(positions) + 1);
}
