/** How a run is looked at: axis, scale, smoothing, zoom, open charts, and the step of the samples. */
import { createStore } from 'zustand/vanilla';
import { interpolate, type MetricTable } from './columns.ts';

export type Axis = 'step' | 'tokens' | 'seconds';

export interface ViewState {
  axis: Axis;
  logY: boolean;
  logX: boolean;
  /** Span of the moving average in percent of the steps so far; 0 draws no average. */
  smoothing: number;
  /** Shown part of the axis, in the axis's own unit; null shows everything. */
  zoom: readonly [number, number] | null;
  /** Step whose samples are shown and marked on the charts; null follows the newest. */
  sampleStep: number | null;
  /** Ids of the charts that are open at full size, besides the first one. */
  openCharts: readonly string[];
}

/** Largest `smoothing`. */
export const MAX_SMOOTHING = 20;
const DEFAULT_SMOOTHING = 3;

export const createView = () =>
  createStore<ViewState>(() => ({
    axis: 'step',
    logY: false,
    logX: false,
    smoothing: DEFAULT_SMOOTHING,
    zoom: null,
    sampleStep: null,
    openCharts: [],
  }));
export type ViewStore = ReturnType<typeof createView>;

/** Changing the unit of the axis leaves no zoom that would mean something else. */
export const setAxis = (view: ViewStore, axis: Axis): void => view.setState({ axis, zoom: null });

/** Opens a chart at full size, or closes it. */
export const toggleChart = (view: ViewStore, id: string): void =>
  view.setState(({ openCharts }) => ({
    openCharts: openCharts.includes(id)
      ? openCharts.filter((one) => one !== id)
      : [...openCharts, id],
  }));

/** The x of every step of a series in the unit of the axis. */
export function axisValues(table: MetricTable, steps: Float64Array, axis: Axis): Float64Array {
  if (axis === 'step') return steps;
  const unit = table.get(axis);
  return unit ? steps.map((step) => interpolate(unit, step)) : steps;
}

/** The position of a step on the axis. */
export const axisValue = (table: MetricTable, step: number, axis: Axis): number =>
  axisValues(table, Float64Array.of(step), axis)[0] ?? NaN;
