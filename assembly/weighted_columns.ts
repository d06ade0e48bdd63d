/** Weighted sums of the columns of a narrow matrix. */
import { intAt, pointerAt } from './inlined/args';
import { claim } from './threads';

/**
 * sums [size], at index ... index + columns - 1; weights [n], x [n, columns]; n, columns, size,
 * index, whether sums are added to. One thread's work: batches have few tokens.
 */
export function weighted_columns(args: usize): void {
  if (claim() != 0) return;
  const sums = pointerAt(args, 0);
  const weights = pointerAt(args, 1);
  const x = pointerAt(args, 2);
  const n = intAt(args, 3);
  const columns = intAt(args, 4);
  const index = intAt(args, 6);
  const adds = intAt(args, 7) != 0;
  if (!adds) memory.fill(sums, 0, (<usize>intAt(args, 5)) << 2);
  for (let column = 0; column < columns; column++) {
    let sum: f64 = 0;
    for (let i = 0; i < n; i++) {
      const weight = load<f32>(weights + ((<usize>i) << 2));
      sum += <f64>weight * <f64>load<f32>(x + ((<usize>(i * columns + column)) << 2));
    }
    const at = sums + ((<usize>(index + column)) << 2);
    store<f32>(at, adds ? load<f32>(at) + <f32>sum : <f32>sum);
  }
}
