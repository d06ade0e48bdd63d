/** Gradients of an operation's oracle, by central differences in float64. */
import type { HostTensor, Hosts } from '../ops/index.ts';

/** The most values of an input that are checked. */
export const MAX_CHECKED = 400;

/** All indices of a small input, or evenly spaced ones of a large input, both ends included. */
export function checkedIndices(length: number): number[] {
  if (length <= MAX_CHECKED) return Array.from({ length }, (_, i) => i);
  const step = length / MAX_CHECKED;
  return Array.from({ length: MAX_CHECKED }, (_, i) =>
    i === MAX_CHECKED - 1 ? length - 1 : Math.floor(i * step),
  );
}

/** The sum of output x projection over the named outputs: the scalar that is differentiated. */
export function project<O extends string>(
  outputs: Hosts<O>,
  projection: Partial<Hosts<O>>,
  names: readonly O[],
): number {
  let total = 0;
  for (const name of names) {
    const factors = projection[name]?.data;
    outputs[name].data.forEach((value, i) => {
      if (factors) total += value * (factors[i] ?? NaN);
    });
  }
  return total;
}

/**
 * Derivatives of `scalar` with respect to the values of `input` at these indices. The step is 1e-6
 * max(1, |x|): the rounding error (1e-16 / 1e-6) and the truncation error (1e-12) are both far below
 * float32's precision. Restores the input.
 */
export function finiteDifferences(
  input: HostTensor,
  indices: readonly number[],
  scalar: () => number,
): Float64Array {
  return Float64Array.from(indices, (index) => {
    const x = input.data[index] ?? NaN;
    const h = 1e-6 * Math.max(1, Math.abs(x));
    const above = x + h;
    const below = x - h;
    input.data[index] = above;
    const plus = scalar();
    input.data[index] = below;
    const minus = scalar();
    input.data[index] = x;
    return (plus - minus) / (above - below);
  });
}
