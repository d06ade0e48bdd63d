/** Series as SVG paths, for pictures without axes. */
import { createView, type ChartData } from '../../store/index.ts';

/** A view without zoom, average and logarithm. */
export const WHOLE_RUN = { ...createView().getState(), smoothing: 0 };

/** Of the picture, in the units of its `viewBox`. */
interface PathOptions {
  width: number;
  height: number;
  /** A value that the picture always includes. */
  floor?: number | undefined;
}

/** The path of the series `key`, or an empty one if it has no points. */
export function pathOf(
  { rows, x, y }: ChartData,
  key: string,
  { width, height, floor }: PathOptions,
): string {
  if (!x || !y) return '';
  const low = Math.min(y[0], floor ?? y[0]);
  const xRange = x[1] - x[0] || 1;
  const yRange = y[1] - low || 1;
  const points = rows.flatMap((row) => {
    const value = row[key];
    if (value === undefined) return [];
    const left = ((row.x - x[0]) / xRange) * width;
    const top = height - 1 - ((value - low) / yRange) * (height - 2);
    return [`${left.toFixed(1)} ${top.toFixed(1)}`];
  });
  return points.length > 0 ? `M${points.join('L')}` : '';
}
