/**
 * The update of parameters over flat ranges, value by value.
 *
 * Moments must not decay into denormals (below 2^-126), which cost up to threefold on some
 * processors: rows of an embedding whose token is rare get a zero gradient at most steps, and their
 * moments shrink by a constant factor each time. They become zero below `LEAST`. Beside an
 * epsilon, which is at least 1e-12 (src/config), the root of a second moment of 2^-120 is below
 * 1e-6 of it, and a first moment of 2^-110 moves a parameter by less than 1e-21 of the learning rate.
 * Parameters without a gradient shrink by weight decay in the same way, and are read more often.
 */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { flushed, loadUpTo4, storeUpTo4 } from './inlined/lanes';
import { fma, splat } from './inlined/simd';
import { BIAS_CORRECTION1, BIAS_CORRECTION2_SQRT, LEARNING_RATE } from './optimizer_scalars';
import { chunksOf } from './rows';
import { claim, scratch } from './threads';

/** Values of a chunk: a few microseconds. A multiple of 4. */
const CHUNK: i32 = 8192;

/** 2^-110, of first moments and parameters. */
const LEAST: f32 = 7.70371977754894e-34;
/** 2^-120. */
const LEAST_SECOND_MOMENT: f32 = 7.52316384526264e-37;
/** 2^-55. Smaller gradients would square to values that are flushed anyway, or to denormals. */
const LEAST_TO_SQUARE: f32 = 2.7755575615628914e-17;

/** What a gradient is multiplied by: undoes the loss scale, and clips if `max_norm` > 0. */
function gradientFactor(norm: usize, inverse_scale: usize, max_norm: f32): f32 {
  const inverse = load<f32>(inverse_scale);
  if (max_norm <= 0) return inverse;
  return inverse * min<f32>(1, max_norm / (load<f32>(norm) + 1e-6));
}

/** Zeroes the gradients [n] of a skipped update, in the chunks of the update. */
function zeroInChunks(values: usize, n: i32): void {
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const begin = chunk * CHUNK;
    memory.fill(values + ((<usize>begin) << 2), 0, (<usize>(min(n, begin + CHUNK) - begin)) << 2);
  }
}

/**
 * Copies the `words` arguments of a kernel, and the last n % 4 values of its first `arrays` tensors,
 * filled up to four by zeros, to scratch memory. Returns the address of the new arguments, in which
 * the tensors are those copies, shifted so that each value keeps its index: only values from
 * n - n % 4 on may be accessed.
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

/** Copies the values of `paddedArgs` back to the tensors. */
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
  const chunks = chunksOf(n, CHUNK);
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
  const chunks = chunksOf(n, CHUNK);
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
  const chunks = chunksOf(n, CHUNK);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * CHUNK);
    for (let i = chunk * CHUNK; i < end; i += 4) {
      const at = values + ((<usize>i) << 2);
      storeUpTo4(at, flushed(loadUpTo4(at, end - i), least), end - i);
    }
  }
}
