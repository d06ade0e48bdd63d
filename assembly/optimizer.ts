/**
 * The update of parameters over flat ranges, and the gradient norm. All of them are elementwise or
 * sum in an order that shapes alone determine.
 *
 * Moments must not decay into denormals (below 2^-126), which cost up to threefold on some
 * processors: rows of an embedding whose token is rare get a zero gradient at most steps, and their
 * moments shrink by a constant factor each time. They become zero below `LEAST`. Next to an
 * epsilon, which is at least 1e-12 (src/config), the root of a second moment of 2^-120 is below
 * 1e-6 of it, and a first moment of 2^-110 moves a parameter by less than 1e-21 of the learning rate.
 * Parameters without a gradient shrink by weight decay in the same way, and are read more often.
 */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { flushed, loadUpTo4, storeUpTo4 } from './inlined/lanes';
import { fma, splat, sumOf } from './inlined/simd';
import { claim, scratch } from './threads';

/** Values of a chunk: a few microseconds. A multiple of 4. */
const CHUNK: i32 = 8192;

/** 2^-110, of first moments and parameters. */
const LEAST: f32 = 7.70371977754894e-34;
/** 2^-120. */
const LEAST_SECOND_MOMENT: f32 = 7.52316384526264e-37;
/** 2^-55. Smaller gradients would square to values that are flushed anyway, or to denormals. */
const LEAST_TO_SQUARE: f32 = 2.7755575615628914e-17;

/** `scalars`, as SCALARS in src/ops/optimizer_update/update.ts orders them. */
const LEARNING_RATE: usize = 0;
const BIAS_CORRECTION1: usize = 2;
const BIAS_CORRECTION2_SQRT: usize = 3;
const UPDATE_NUMBER: usize = 4;

/** What a gradient is multiplied by: undoes the loss scale, and clips if `max_norm` > 0. */
function gradientFactor(norm: usize, inverse_scale: usize, max_norm: f32): f32 {
  const inverse = load<f32>(inverse_scale);
  if (max_norm <= 0) return inverse;
  return inverse * min<f32>(1, max_norm / (load<f32>(norm) + 1e-6));
}

/** Zeroes a range if its update is skipped: chunk by chunk, as the update would have. */
function zeroInChunks(values: usize, n: i32): void {
  const chunks = (n + CHUNK - 1) / CHUNK;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const begin = chunk * CHUNK;
    memory.fill(values + ((<usize>begin) << 2), 0, (<usize>(min(n, begin + CHUNK) - begin)) << 2);
  }
}

/**
 * `words` arguments for the last n % 4 values: the first `arrays` pointers lead to copies in scratch
 * memory that zeros fill up to four, and are moved back so that each value keeps its index.
 */
function paddedArgs(args: usize, words: usize, arrays: usize, n: i32): usize {
  const padded = scratch();
  const copies = padded + 128;
  const whole = (<usize>(n & ~3)) << 2;
  memory.copy(padded, args, words << 2);
  memory.fill(copies, 0, arrays << 4);
  for (let i: usize = 0; i < arrays; i++) {
    const copy = copies + (i << 4);
    memory.copy(copy, pointerAt(args, i) + whole, (<usize>(n & 3)) << 2);
    store<usize>(padded + (i << 2), copy - whole);
  }
  return padded;
}

/** Copies the values back that `paddedArgs` has copied. */
function unpad(args: usize, padded: usize, arrays: usize, n: i32): void {
  const whole = (<usize>(n & ~3)) << 2;
  for (let i: usize = 0; i < arrays; i++)
    memory.copy(pointerAt(args, i) + whole, pointerAt(padded, i) + whole, (<usize>(n & 3)) << 2);
}

/**
 * Adam and AdamW (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2).
 *
 * Updates parameter, gradient (to zero), exp_avg, exp_avg_sq [n]; reads norm, inverse_scale,
 * scalars; n, decayed (values from the first with weight decay), coupled, max_norm, weight_decay,
 * beta1, 1 - beta1, beta2, 1 - beta2, epsilon.
 */
export function adam_update(args: usize): void {
  const n = intAt(args, 7);
  if (load<f32>(pointerAt(args, 5)) == 0) return zeroInChunks(pointerAt(args, 1), n);
  const whole = n & ~3;
  const chunks = (n + CHUNK - 1) / CHUNK;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    adamRange(args, chunk * CHUNK, min(whole, (chunk + 1) * CHUNK));
    if (chunk + 1 < chunks || whole == n) continue;
    const padded = paddedArgs(args, 17, 4, n);
    adamRange(padded, whole, whole + 4);
    unpad(args, padded, 4, n);
  }
}

/** Adam over the values from `begin` to `end`, a multiple of four. */
function adamRange(args: usize, begin: i32, end: i32): void {
  const parameters = pointerAt(args, 0);
  const gradients = pointerAt(args, 1);
  const firstMoments = pointerAt(args, 2);
  const secondMoments = pointerAt(args, 3);
  const scalars = pointerAt(args, 6);
  const decayed = i32x4.splat(intAt(args, 8));
  const coupled = intAt(args, 9) != 0;
  const factor = splat(gradientFactor(pointerAt(args, 4), pointerAt(args, 5), floatAt(args, 10)));
  const coupledDecay = splat(coupled ? floatAt(args, 11) : 0);
  const decoupledDecay = splat(coupled ? 0 : floatAt(args, 11));
  const beta1 = splat(floatAt(args, 12));
  const rest1 = splat(floatAt(args, 13));
  const beta2 = splat(floatAt(args, 14));
  const rest2 = splat(floatAt(args, 15));
  const epsilon = splat(floatAt(args, 16));
  const rate = splat(-load<f32>(scalars + (LEARNING_RATE << 2)));
  const correction1 = splat(<f32>1 / load<f32>(scalars + (BIAS_CORRECTION1 << 2)));
  const correction2 = splat(<f32>1 / load<f32>(scalars + (BIAS_CORRECTION2_SQRT << 2)));
  let indices = i32x4.add(i32x4.splat(begin), i32x4(0, 1, 2, 3));
  const endAt = (<usize>end) << 2;
  for (let at = (<usize>begin) << 2; at < endAt; at += 16) {
    const value = v128.load(parameters + at);
    const decaying = v128.and(value, i32x4.lt_s(indices, decayed));
    indices = i32x4.add(indices, i32x4.splat(4));
    const g = fma(decaying, coupledDecay, f32x4.mul(v128.load(gradients + at), factor));
    const m = fma(v128.load(firstMoments + at), beta1, f32x4.mul(g, rest1));
    const h = flushed(g, splat(LEAST_TO_SQUARE));
    const squared = f32x4.mul(f32x4.mul(h, rest2), h);
    const v = fma(v128.load(secondMoments + at), beta2, squared);
    const denominator = fma(f32x4.sqrt(v), correction2, epsilon);
    const step = f32x4.div(f32x4.mul(m, correction1), denominator);
    const update = fma(decaying, decoupledDecay, step);
    v128.store(parameters + at, flushed(fma(update, rate, value), splat(LEAST)));
    v128.store(gradients + at, splat(0));
    v128.store(firstMoments + at, flushed(m, splat(LEAST)));
    v128.store(secondMoments + at, flushed(v, splat(LEAST_SECOND_MOMENT)));
  }
}

/**
 * SGD with momentum (`torch.optim.SGD` without dampening).
 *
 * Updates parameter, gradient (to zero), momentum_buffer [n]; reads norm, inverse_scale, scalars; n,
 * decayed, coupled, max_norm, weight_decay, momentum.
 */
export function sgd_update(args: usize): void {
  const n = intAt(args, 6);
  if (load<f32>(pointerAt(args, 4)) == 0) return zeroInChunks(pointerAt(args, 1), n);
  const whole = n & ~3;
  const chunks = (n + CHUNK - 1) / CHUNK;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    sgdRange(args, chunk * CHUNK, min(whole, (chunk + 1) * CHUNK));
    if (chunk + 1 < chunks || whole == n) continue;
    const padded = paddedArgs(args, 12, 3, n);
    sgdRange(padded, whole, whole + 4);
    unpad(args, padded, 3, n);
  }
}

/** SGD over the values from `begin` to `end`, a multiple of four. */
function sgdRange(args: usize, begin: i32, end: i32): void {
  const parameters = pointerAt(args, 0);
  const gradients = pointerAt(args, 1);
  const buffers = pointerAt(args, 2);
  const decayed = i32x4.splat(intAt(args, 7));
  const coupled = intAt(args, 8) != 0;
  const factor = splat(gradientFactor(pointerAt(args, 3), pointerAt(args, 4), floatAt(args, 9)));
  const coupledDecay = splat(coupled ? floatAt(args, 10) : 0);
  const decoupledDecay = splat(coupled ? 0 : floatAt(args, 10));
  const momentum = splat(floatAt(args, 11));
  const rate = splat(-load<f32>(pointerAt(args, 5) + (LEARNING_RATE << 2)));
  let indices = i32x4.add(i32x4.splat(begin), i32x4(0, 1, 2, 3));
  const endAt = (<usize>end) << 2;
  for (let at = (<usize>begin) << 2; at < endAt; at += 16) {
    const value = v128.load(parameters + at);
    const decaying = v128.and(value, i32x4.lt_s(indices, decayed));
    indices = i32x4.add(indices, i32x4.splat(4));
    const g = fma(decaying, coupledDecay, f32x4.mul(v128.load(gradients + at), factor));
    const buffer = fma(v128.load(buffers + at), momentum, g);
    const update = fma(decaying, decoupledDecay, buffer);
    v128.store(parameters + at, flushed(fma(update, rate, value), splat(LEAST)));
    v128.store(gradients + at, splat(0));
    v128.store(buffers + at, flushed(buffer, splat(LEAST)));
  }
}

/** Sets values [n] whose magnitude is below `least` to zero; updates them; n, least. */
export function flush_in_place(args: usize): void {
  const values = pointerAt(args, 0);
  const n = intAt(args, 1);
  const least = splat(floatAt(args, 2));
  const chunks = (n + CHUNK - 1) / CHUNK;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i += 4) {
      const at = values + ((<usize>i) << 2);
      storeUpTo4(at, flushed(loadUpTo4(at, end - i), least), end - i);
    }
  }
}

/** Values of a block: part i of `sum_of_squares` sums blocks i, i + parts, ... */
const BLOCK: i32 = 256;
/** Parts that one thread sums at a time, so that it reads 16 KB in a row. */
const PARTS_OF_CHUNK: i32 = 16;

/** Writes parts [k]: part i is the sum of x^2 over blocks i, i + k, ... Reads x [n]; n, k. */
export function sum_of_squares(args: usize): void {
  const parts = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const n = intAt(args, 2);
  const count = intAt(args, 3);
  const blocks = (n + BLOCK - 1) / BLOCK;
  const chunks = (count + PARTS_OF_CHUNK - 1) / PARTS_OF_CHUNK;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const first = chunk * PARTS_OF_CHUNK;
    const end = min(count, first + PARTS_OF_CHUNK);
    memory.fill(parts + ((<usize>first) << 2), 0, (<usize>(end - first)) << 2);
    for (let round = 0; round < blocks; round += count) {
      for (let part = first; part < min(end, blocks - round); part++) {
        const begin = (round + part) * BLOCK;
        const sum = squaresOf(x + ((<usize>begin) << 2), min(BLOCK, n - begin));
        const to = parts + ((<usize>part) << 2);
        store<f32>(to, load<f32>(to) + sum);
      }
    }
  }
}

/** The sum of the squares of up to a block of values. */
function squaresOf(x: usize, count: i32): f32 {
  let a = splat(0);
  let b = splat(0);
  let c = splat(0);
  let d = splat(0);
  let i = 0;
  let at = x;
  for (; i + 16 <= count; i += 16, at += 64) {
    const x0 = v128.load(at);
    const x1 = v128.load(at, 16);
    const x2 = v128.load(at, 32);
    const x3 = v128.load(at, 48);
    a = fma(x0, x0, a);
    b = fma(x1, x1, b);
    c = fma(x2, x2, c);
    d = fma(x3, x3, d);
  }
  for (; i < count; i += 4, at += 16) {
    const rest = loadUpTo4(at, count - i);
    a = fma(rest, rest, a);
  }
  return sumOf(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of `count` values, in their order, in float64. */
function sumInOrder(values: usize, count: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) sum += <f64>load<f32>(values + ((<usize>i) << 2));
  return sum;
}

/** Writes norm [], the root of the sum of the parts; reads parts [k]; k. */
export function norm_of_parts(args: usize): void {
  if (claim() != 0) return;
  const squares = sumInOrder(pointerAt(args, 1), intAt(args, 2));
  store<f32>(pointerAt(args, 0), <f32>sqrt<f64>(squares));
}

/** Moves the step's sums to the results, before the norm, and resets them. */
function finishSums(results: usize, sums: usize, count: i32): void {
  memory.copy(results, sums, (<usize>count) << 2);
  memory.fill(sums, 0, (<usize>count) << 2);
}

/** Writes norm [], results [n + 1]; updates sums [n] (to zero); reads parts [k]; k, n. */
export function step_results(args: usize): void {
  if (claim() != 0) return;
  const results = pointerAt(args, 1);
  const n = intAt(args, 5);
  const norm = <f32>sqrt<f64>(sumInOrder(pointerAt(args, 3), intAt(args, 4)));
  finishSums(results, pointerAt(args, 2), n);
  store<f32>(results + ((<usize>n) << 2), norm);
  store<f32>(pointerAt(args, 0), norm);
}

/**
 * 1 - (1 - rest)^n by repeated squaring: all terms are positive, so there is no cancellation where
 * the power is near 1.
 */
function biasCorrection(rest: f64, n: i32): f64 {
  let result: f64 = 0;
  let square = rest;
  for (let k = n; k > 0; k >>= 1) {
    if ((k & 1) == 1) result += square * (1 - result);
    square *= 2 - square;
  }
  return result;
}

/**
 * `step_results` with a loss scale. Writes norm [], inverse_scale [], results [n + 1]; updates sums
 * [n], scale [1], counts [2], scalars [5]; reads parts [k]; k, n, max_scale, 1 - beta1, 1 - beta2,
 * growth_interval.
 */
export function scaled_step_results(args: usize): void {
  if (claim() != 0) return;
  const inverse_scale = pointerAt(args, 1);
  const results = pointerAt(args, 2);
  const scale = pointerAt(args, 4);
  const counts = pointerAt(args, 5);
  const scalars = pointerAt(args, 6);
  const n = intAt(args, 9);
  const old = load<f32>(scale);
  const norm = <f32>(sqrt<f64>(sumInOrder(pointerAt(args, 7), intAt(args, 8))) / <f64>old);
  finishSums(results, pointerAt(args, 3), n);
  store<f32>(results + ((<usize>n) << 2), norm);
  store<f32>(pointerAt(args, 0), norm);
  // False for NaN and for infinity.
  if (!(abs<f32>(norm) <= f32.MAX_VALUE)) {
    store<f32>(inverse_scale, 0);
    store<f32>(scale, <f32>0.5 * old);
    store<f32>(counts, 0);
    store<f32>(counts, load<f32>(counts, 4) + 1, 4);
    return;
  }
  const updates = <i32>(
    max<f32>(1, load<f32>(scalars + (UPDATE_NUMBER << 2)) - load<f32>(counts, 4))
  );
  const correction1 = biasCorrection(<f64>floatAt(args, 11), updates);
  const correction2 = biasCorrection(<f64>floatAt(args, 12), updates);
  store<f32>(scalars + (BIAS_CORRECTION1 << 2), <f32>correction1);
  store<f32>(scalars + (BIAS_CORRECTION2_SQRT << 2), <f32>sqrt<f64>(correction2));
  store<f32>(inverse_scale, <f32>1 / old);
  const steps = load<f32>(counts) + 1;
  const grows = steps >= floatAt(args, 13);
  store<f32>(scale, grows ? min<f32>(2 * old, floatAt(args, 10)) : old);
  store<f32>(counts, grows ? 0 : steps);
}
