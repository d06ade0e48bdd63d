/** Gradients of an operation's oracle by central differences in float64. */
import type { HostTensor, Hosts } from '../ops/index.ts';

/** Values of an input that are checked; of a larger one, a spread of as many. */
export const MAX_CHECKED = 400;

/**
 * Indices to check: all, or a stride through them that is prime to most shapes, first and last
 * among them.
 */
export function checkedIndices(length: number): number[] {
  if (length <= MAX_CHECKED) return Array.from({ length }, (_v, i) => i);
  const step = length / MAX_CHECKED;
  return Array.from({ length: MAX_CHECKED }, (_v, i) =>
    i === MAX_CHECKED - 1 ? length - 1 : Math.floor(i * step),
  );
}

/** sum over the outputs of output x projection: the scalar whose gradient is taken. */
export function project<O extends string>(
  outputs: Hosts<O>,
  projection: Partial<Hosts<O>>,
  names: readonly O[],
): number {
  let total = 0;
  for (const o of names) {
    const p = projection[o];
    if (p)
      outputs[o].data.forEach((v, i) => {
        total += v * (p.data[i] ?? NaN);
      });
  }
  return total;
}

/**
 * Derivative of `scalar` by each of the given values of `input`. The step is relative, 1e-6 max(1,
 * |x|): in float64 its rounding error (1e-16 / 1e-6) and its truncation error (1e-12) both stay far
 * below float32's precision.
 */
export function finiteDifferences(
  input: HostTensor,
  indices: readonly number[],
  scalar: () => number,
): Float64Array {
  return Float64Array.from(indices, (i) => {
    const x = input.data[i] ?? NaN;
    const h = 1e-6 * Math.max(1, Math.abs(x));
    const above = x + h;
    const below = x - h;
    input.data[i] = above;
    const plus = scalar();
    input.data[i] = below;
    const minus = scalar();
    input.data[i] = x;
    return (plus - minus) / (above - below);
  });
}
