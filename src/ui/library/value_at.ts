/** The value of a series at a step: the last one measured up to there, or NaN. */
import type { Series } from '../../store/index.ts';

export function valueAt(series: Series | undefined, step: number): number {
  if (!series) return NaN;
  const index = series.step.findLastIndex((measured) => measured <= step);
  return series.value[index] ?? NaN;
}
