/**
 * The norm of all gradients, and the results of a step. Sums are in an order that shapes alone
 * determine.
 */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { loadUpTo4 } from './inlined/lanes';
import { fma, splat, sumOf } from './inlined/simd';
import { BIAS_CORRECTION1, BIAS_CORRECTION2_SQRT, UPDATE_NUMBER } from './optimizer_scalars';
import { chunksOf } from './rows';
import { claim } from './threads';

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
  const blocks = chunksOf(n, BLOCK);
  const chunks = chunksOf(count, PARTS_OF_CHUNK);
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
