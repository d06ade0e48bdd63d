/** The crosshair's line and readout: the value of each series, and of each overlaid run. */
import { averageKey, overlayKey, readingAt, type ChartRow } from '../../store/index.ts';
import { useLibrary } from '../context.tsx';
import type { ChartSpec, DrawnSeries } from './catalogue.ts';
import { overlayColour } from './overlay_colour.ts';

/** A value under the crosshair. */
export interface Reading {
  key: string;
  label: string;
  colour: string;
  text: string;
}

/** What a chart draws. */
export interface Drawn {
  spec: ChartSpec;
  rows: readonly ChartRow[];
  /** The visible range of x. */
  domain: readonly [number, number];
  /** Ids of the overlaid runs. */
  overlays: readonly string[];
}

/** A line that ends further from the crosshair than this share of the domain has no value there. */
const MAX_DISTANCE = 0.02;

/** The values at the crosshair; none while it is hidden. */
export function useReadings(drawn: Drawn, x: number | null): Reading[] {
  const runs = useLibrary((state) => state.runs);
  if (x === null) return [];
  const nameOf = (run: string): string =>
    runs.find((record) => record.run === run)?.name ?? 'Earlier run';
  return readingsAt(drawn, x, nameOf);
}

/** The values at `x`: of the run's own series, then of the overlaid runs, by their names. */
export function readingsAt(drawn: Drawn, x: number, nameOf: (run: string) => string): Reading[] {
  const { spec, rows, overlays, domain } = drawn;
  const reach = (domain[1] - domain[0]) * MAX_DISTANCE;
  const own = spec.series.flatMap((series) => {
    const keys = [averageKey(series.metric), series.metric];
    const value = readValue(series, { rows, keys, x, reach });
    return value === null ? [] : [reading(series, value, { spec, colour: series.colour })];
  });
  const others = overlays.flatMap((run, index) =>
    spec.series.flatMap((series) => {
      const value = readValue(series, { rows, keys: [overlayKey(run, series.metric)], x, reach });
      if (value === null) return [];
      const name = nameOf(run);
      return [reading(series, value, { spec, run, name, colour: overlayColour(index) })];
    }),
  );
  return [...own, ...others];
}

interface Place {
  rows: readonly ChartRow[];
  /** The first of these that has a value counts. */
  keys: readonly string[];
  x: number;
  /** How far from x a point of a line may be. */
  reach: number;
}

/** Evaluations are far apart, so that the nearest one counts wherever it is. */
function readValue({ kind }: DrawnSeries, { rows, keys, x, reach }: Place): number | null {
  for (const key of keys) {
    const found = readingAt(rows, key, x);
    if (found && (kind === 'points' || Math.abs(found.x - x) <= reach)) return found.value;
  }
  return null;
}

interface Naming {
  spec: ChartSpec;
  colour: string;
  /** Of an overlaid run. */
  run?: string;
  name?: string;
}

function reading(
  { metric, label }: DrawnSeries,
  value: number,
  { spec, colour, run = '', name }: Naming,
): Reading {
  const series = spec.series.length > 1 ? label : spec.title;
  const text = spec.format(value);
  return {
    key: overlayKey(run, metric),
    label: name ? `${name}, ${series}` : series,
    colour,
    text,
  };
}

interface ReadoutProps {
  /** The position on the axis. */
  title: string;
  readings: readonly Reading[];
  /** Of the crosshair from the left of the plot, in CSS pixels. */
  left: number;
  /** Of the plot, in CSS pixels. */
  width: number;
}

export function Readout({ title, readings, left, width }: ReadoutProps) {
  const side = left > width / 2 ? { right: width - left + 8 } : { left: left + 8 };
  return (
    <>
      <i className="crosshair-line" style={{ left }} />
      <div className="crosshair" style={side}>
        <div className="muted">{title}</div>
        {readings.map(({ key, label, colour, text }) => (
          <div key={key}>
            <i style={{ background: colour }} />
            <span>{label}</span> <b>{text}</b>
          </div>
        ))}
      </div>
    </>
  );
}
