/** From metric tables to what one chart draws: rows by x, decimated so that spikes survive. */
import type { MetricTable, Series } from './columns.ts';
import { m4, movingAverage } from './decimate.ts';
import { axisValues, type ViewState } from './view.ts';

/** Most points of one series that a chart is handed. */
export const POINTS_PER_SERIES = 300;

/** A metric of a chart: drawn as it is, or faint with its moving average over it. */
export interface ChartSeries {
  metric: string;
  smooth: boolean;
}

/**
 * One x with the values that exist there, by series key (`metric`, `metric~` for its average,
 * `run:metric` for an overlay).
 */
export type ChartRow = { x: number } & Record<string, number>;

export interface ChartData {
  rows: ChartRow[];
  /** Extent of what is shown, before any padding; null while there is nothing. */
  x: readonly [number, number] | null;
  y: readonly [number, number] | null;
}

export const averageKey = (metric: string): string => `${metric}~`;
export const overlayKey = (run: string, metric: string): string => `${run}:${metric}`;

/** How a chart is viewed, and how many points of a series it can draw. */
export interface ChartView extends ViewState {
  points?: number;
}

interface Source {
  table: MetricTable;
  key: (metric: string) => string;
  budget: number;
  overlay: boolean;
}

/** `overlays` are other runs: the same series, with only the average of those that are smoothed. */
export function chartData(
  table: MetricTable,
  overlays: ReadonlyMap<string, MetricTable>,
  series: readonly ChartSeries[],
  view: ChartView,
): ChartData {
  const { points = POINTS_PER_SERIES } = view;
  const rows = new Map<number, ChartRow>();
  const range = { x: [Infinity, -Infinity], y: [Infinity, -Infinity] };
  const put = (x: number, key: string, y: number): void => {
    if ((view.logY && y <= 0) || (view.logX && x <= 0) || !Number.isFinite(x)) return;
    const row = rows.get(x) ?? { x };
    row[key] = y;
    rows.set(x, row);
    range.x = [Math.min(range.x[0] ?? x, x), Math.max(range.x[1] ?? x, x)];
    range.y = [Math.min(range.y[0] ?? y, y), Math.max(range.y[1] ?? y, y)];
  };
  const sources: Source[] = [
    ...[...overlays].map(([run, other]) => ({
      table: other,
      key: (metric: string) => overlayKey(run, metric),
      budget: Math.round(points / 2),
      overlay: true,
    })),
    { table, key: (metric) => metric, budget: points, overlay: false },
  ];
  for (const source of sources) {
    for (const one of series) {
      const found = source.table.get(one.metric);
      if (found && found.length > 0) addSeries(source, found, one, { view, put });
    }
  }
  return {
    rows: [...rows.values()].sort((a, b) => a.x - b.x),
    x: finiteRange(range.x),
    y: finiteRange(range.y),
  };
}

function addSeries(
  source: Source,
  series: Series,
  { metric, smooth }: ChartSeries,
  { view, put }: { view: ViewState; put: (x: number, key: string, y: number) => void },
): void {
  const xs = axisValues(source.table, series.step, view.axis);
  const [from, to] = view.zoom ?? [-Infinity, Infinity];
  const scale = view.logX ? logScale(xs) : (x: number) => x;
  const average =
    smooth && view.smoothing > 0
      ? movingAverage(series.step, series.value, view.smoothing / 100)
      : null;
  const drawn = source.overlay && average ? average : series.value;
  const range = { from: scale(from), to: scale(to) };
  for (const index of m4(view.logX ? xs.map(scale) : xs, drawn, source.budget, range)) {
    const x = xs[index] ?? NaN;
    put(x, source.key(metric), drawn[index] ?? NaN);
    if (!source.overlay && average) put(x, averageKey(metric), average[index] ?? NaN);
  }
}

/** Buckets of equal width on a logarithmic axis; what is not positive falls into the first one. */
function logScale(xs: Float64Array): (x: number) => number {
  const first = xs.find((x) => x > 0) ?? 1;
  return (x) => Math.log(Math.max(x, first));
}

const finiteRange = ([low = Infinity, high = -Infinity]: number[]):
  readonly [number, number] | null => (low <= high ? [low, high] : null);

/** Index of the row whose x is nearest: charts have different rows and share one crosshair. */
export function nearestRow(rows: readonly { x: number }[], x: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.x ?? 0) <= x) low = middle;
    else high = middle;
  }
  return Math.abs((rows[low]?.x ?? 0) - x) <= Math.abs((rows[high]?.x ?? 0) - x) ? low : high;
}

/** The point of a series that is nearest to `x`, or null if the rows have none. */
export function readingAt(
  rows: readonly ChartRow[],
  key: string,
  x: number,
): { x: number; value: number } | null {
  const start = nearestRow(rows, x);
  for (let distance = 0; distance < rows.length; distance += 1) {
    for (const row of [rows[start - distance], rows[start + distance]]) {
      const value = row?.[key];
      if (row && value !== undefined) return { x: row.x, value };
    }
  }
  return null;
}
