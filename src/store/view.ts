/**
 * How the charts are looked at: axis, scale, smoothing, zoom, crosshair and the runs laid under.
 */
import { createStore } from 'zustand/vanilla';
import { interpolate, type MetricTable } from './columns.ts';

export type Axis = 'step' | 'tokens' | 'seconds';

export interface ViewState {
  axis: Axis;
  logY: boolean;
  logX: boolean;
  /** Points of the moving average. */
  smoothing: number;
  /** Shown part of the axis, in the axis's own unit; null shows everything. */
  zoom: readonly [number, number] | null;
}

export const createView = () =>
  createStore<ViewState>(() => ({
    axis: 'step',
    logY: false,
    logX: false,
    smoothing: 25,
    zoom: null,
  }));
export type ViewStore = ReturnType<typeof createView>;

/** Changing the unit of the axis leaves no zoom that would mean something else. */
export const setAxis = (view: ViewStore, axis: Axis): void => view.setState({ axis, zoom: null });

/** The x of every step of a series in the unit of the axis. */
export function axisValues(table: MetricTable, steps: Float64Array, axis: Axis): Float64Array {
  if (axis === 'step') return steps;
  const unit = table.get(axis);
  return unit ? steps.map((step) => interpolate(unit, step)) : steps;
}
