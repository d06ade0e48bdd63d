/** Where the plot is inside its chart, and positions in it. All lengths are CSS pixels. */
import { nearestRow } from '../../store/index.ts';

export const MARGIN = { top: 6, right: 10, bottom: 0, left: 0 };
export const X_AXIS_HEIGHT = 22;
export const Y_AXIS_WIDTH = 54;

export interface PlotArea {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const plotArea = ({ width, height }: { width: number; height: number }): PlotArea => ({
  left: MARGIN.left + Y_AXIS_WIDTH,
  top: MARGIN.top,
  width: Math.max(1, width - MARGIN.left - Y_AXIS_WIDTH - MARGIN.right),
  height: Math.max(1, height - MARGIN.top - X_AXIS_HEIGHT - MARGIN.bottom),
});

/** The x axis of a plot. */
export interface XScale {
  domain: readonly [number, number];
  log: boolean;
  /** Width of the plot. */
  width: number;
}

/** Distance of a value from the left of the plot. */
export function pixelOf(value: number, { domain: [low, high], log, width }: XScale): number {
  if (high === low) return 0;
  const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return share * width;
}

/** The value at a distance from the left of the plot, within the domain. */
export function valueAt(pixel: number, { domain: [low, high], log, width }: XScale): number {
  const share = Math.min(1, Math.max(0, pixel / width));
  return log ? low * (high / low) ** share : low + share * (high - low);
}

/** Distance of an arrow key and of a page key, as shares of the width. */
const SHARES = { arrow: 0.01, page: 0.1 };

export interface Move {
  direction: 1 | -1;
  by: keyof typeof SHARES;
}

/** The x of the row that a key moves to from `x`: at least the next row, within the domain. */
export function movedTo(
  rows: readonly { x: number }[],
  x: number,
  { direction, by }: Move,
  scale: XScale,
): number {
  const [low, high] = scale.domain;
  const visible = rows.filter((row) => row.x >= low && row.x <= high);
  const target = valueAt(pixelOf(x, scale) + direction * SHARES[by] * scale.width, scale);
  const nearest = visible[nearestRow(visible, target)]?.x ?? x;
  if ((nearest - x) * direction > 0) return nearest;
  const next =
    direction > 0 ? visible.find((row) => row.x > x) : visible.findLast((row) => row.x < x);
  return next?.x ?? x;
}
