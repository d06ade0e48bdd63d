/** Whitening over all tokens of a batch (TRL's `masked_whiten`). */
import { mean, sampleStd } from './advantages.ts';

/**
 * Scales values to a standard deviation of 1 over all answers together (n - 1, plus 1e-8 to the
 * variance), and to a mean of 0 unless `keep_mean`. One value alone keeps its scale.
 */
export function whiten(
  answers: readonly Float32Array[],
  { keep_mean = false }: { keep_mean?: boolean } = {},
): Float32Array[] {
  const all = answers.flatMap((values) => [...values]);
  if (all.length < 2) return answers.map((values) => values.slice());
  const center = mean(all);
  const scale = 1 / Math.sqrt(sampleStd(all) ** 2 + 1e-8);
  const offset = keep_mean ? center : 0;
  return answers.map((values) => values.map((value) => (value - center) * scale + offset));
}
