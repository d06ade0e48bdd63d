/** The clipped objectives of PPO and GRPO, for the policy and for the value model, by token. */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { exp1 } from './inlined/simd';
import { chunksOf } from './rows';
import { claim } from './threads';

/** Tokens of a chunk. */
const CHUNK: i32 = 1024;

/**
 * loss [n], statistics [n, 4] (low, high, ratio, approx_kl); nll, old_logps, ref_logps, advantages,
 * weights [n]; n, lowest and highest ratio, beta. A token of weight 0 gives zeros.
 */
export function clipped_ratio(args: usize): void {
  const n = intAt(args, 7);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i++) ratioToken(args, (<usize>i) << 2);
  }
}

function ratioToken(args: usize, at: usize): void {
  const low = floatAt(args, 8);
  const high = floatAt(args, 9);
  const beta = floatAt(args, 10);
  const loss = pointerAt(args, 0) + at;
  const statistics = pointerAt(args, 1) + (at << 2);
  if (load<f32>(pointerAt(args, 6) + at) == 0) {
    store<f32>(loss, 0);
    v128.store(statistics, f32x4.splat(0));
    return;
  }
  const logp = -load<f32>(pointerAt(args, 2) + at);
  const difference = logp - load<f32>(pointerAt(args, 3) + at);
  const advantage = load<f32>(pointerAt(args, 5) + at);
  const ratio = exp1(difference);
  const gain = min<f32>(ratio * advantage, min<f32>(max<f32>(ratio, low), high) * advantage);
  let kl: f32 = 0;
  if (beta != 0) {
    const toReference = load<f32>(pointerAt(args, 4) + at) - logp;
    kl = exp1(toReference) - 1 - toReference;
  }
  store<f32>(loss, beta * kl - gain);
  store<f32>(statistics, ratio < low && advantage < 0 ? 1 : 0);
  store<f32>(statistics, ratio > high && advantage > 0 ? 1 : 0, 4);
  store<f32>(statistics, ratio, 8);
  store<f32>(statistics, 0.5 * difference * difference, 12);
}

/**
 * dnll [n]; nll, old_logps, ref_logps, advantages, weights, dy [n]; n, lowest and highest ratio, beta.
 */
export function clipped_ratio_grad(args: usize): void {
  const n = intAt(args, 7);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i++) ratioTokenGradient(args, (<usize>i) << 2);
  }
}

function ratioTokenGradient(args: usize, at: usize): void {
  const dnll = pointerAt(args, 0) + at;
  if (load<f32>(pointerAt(args, 5) + at) == 0) {
    store<f32>(dnll, 0);
    return;
  }
  const beta = floatAt(args, 10);
  const logp = -load<f32>(pointerAt(args, 1) + at);
  const advantage = load<f32>(pointerAt(args, 4) + at);
  const ratio = exp1(logp - load<f32>(pointerAt(args, 2) + at));
  const gain = ratio * advantage;
  const clipped = min<f32>(max<f32>(ratio, floatAt(args, 8)), floatAt(args, 9)) * advantage;
  let slope: f32 = gain > clipped ? 0 : gain;
  if (beta != 0) slope -= beta * (1 - exp1(load<f32>(pointerAt(args, 3) + at) - logp));
  store<f32>(dnll, load<f32>(pointerAt(args, 6) + at) * slope);
}

/**
 * loss, clipped [n]; values, old_values, returns, weights [n]; n, cliprange. A token of weight 0
 * gives zeros.
 */
export function clipped_value(args: usize): void {
  const n = intAt(args, 6);
  const range = floatAt(args, 7);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i++) valueToken(args, (<usize>i) << 2, range);
  }
}

function valueToken(args: usize, at: usize, range: f32): void {
  if (load<f32>(pointerAt(args, 5) + at) == 0) {
    store<f32>(pointerAt(args, 0) + at, 0);
    store<f32>(pointerAt(args, 1) + at, 0);
    return;
  }
  const old = load<f32>(pointerAt(args, 3) + at);
  const value = load<f32>(pointerAt(args, 2) + at);
  const aim = load<f32>(pointerAt(args, 4) + at);
  const near = min<f32>(max<f32>(value, old - range), old + range);
  const free = (value - aim) * (value - aim);
  const bound = (near - aim) * (near - aim);
  store<f32>(pointerAt(args, 0) + at, 0.5 * max<f32>(free, bound));
  store<f32>(pointerAt(args, 1) + at, bound > free ? 1 : 0);
}

/** dvalues [n]; values, old_values, returns, weights, dy [n]; n, cliprange. */
export function clipped_value_grad(args: usize): void {
  const n = intAt(args, 6);
  const range = floatAt(args, 7);
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i++) valueTokenGradient(args, (<usize>i) << 2, range);
  }
}

function valueTokenGradient(args: usize, at: usize, range: f32): void {
  const dvalue = pointerAt(args, 0) + at;
  if (load<f32>(pointerAt(args, 4) + at) == 0) {
    store<f32>(dvalue, 0);
    return;
  }
  const value = load<f32>(pointerAt(args, 1) + at);
  const old = load<f32>(pointerAt(args, 2) + at);
  const aim = load<f32>(pointerAt(args, 3) + at);
  const near = min<f32>(max<f32>(value, old - range), old + range);
  const isFree = (value - aim) * (value - aim) >= (near - aim) * (near - aim);
  store<f32>(dvalue, isFree ? load<f32>(pointerAt(args, 5) + at) * (value - aim) : 0);
}
