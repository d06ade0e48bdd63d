/** Sums over the tokens of a batch. They are short, so one thread takes each, in float64. */
import { intAt, pointerAt } from './inlined/args';
import { claim } from './threads';

/** sums [2] (+)= weights * loss and weights * correct; weights, loss, correct [n]; n, adds. */
export function step_sums(args: usize): void {
  const sums = pointerAt(args, 0);
  const weights = pointerAt(args, 1);
  const n = intAt(args, 4);
  const add = intAt(args, 5) != 0;
  for (let chunk = claim(); chunk < 2; chunk = claim()) {
    const sum = sums + ((<usize>chunk) << 2);
    const before: f32 = add ? load<f32>(sum) : 0;
    store<f32>(sum, before + <f32>weighted(weights, pointerAt(args, 2 + chunk), n));
  }
}

/**
 * sums [size]; weights and x [n]; n, size, index, adds: the sum of weights * x at the index. It is
 * added, or the other elements are zero.
 */
export function weighted_sum(args: usize): void {
  if (claim() != 0) return;
  const sums = pointerAt(args, 0);
  const weights = pointerAt(args, 1);
  const sum = sums + ((<usize>intAt(args, 5)) << 2);
  const add = intAt(args, 6) != 0;
  if (!add) memory.fill(sums, 0, (<usize>intAt(args, 4)) << 2);
  const total = <f32>weighted(weights, pointerAt(args, 2), intAt(args, 3));
  store<f32>(sum, load<f32>(sum) + total);
}

function weighted(weights: usize, values: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) {
    const word = (<usize>i) << 2;
    sum += <f64>load<f32>(weights + word) * <f64>load<f32>(values + word);
  }
  return sum;
}

/** scaled [n] = weights [n] * scale [1]; n. */
export function scaled_weights(args: usize): void {
  if (claim() != 0) return;
  const scaled = pointerAt(args, 0);
  const weights = pointerAt(args, 1);
  const scale = load<f32>(pointerAt(args, 2));
  const n = intAt(args, 3);
  for (let i = 0; i < n; i++) {
    const word = (<usize>i) << 2;
    store<f32>(scaled + word, load<f32>(weights + word) * scale);
  }
}
