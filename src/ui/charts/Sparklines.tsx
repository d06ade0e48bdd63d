/** Small charts in one row, each a button that opens the full chart: name, latest value, curve. */
import { memo, useMemo, useRef } from 'react';
import { chartData, toggleChart, type Axis, type MetricTable } from '../../store/index.ts';
import { useClient, useView } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';
import { useChartTick, type Tick } from './clock.ts';
import { pathOf, WHOLE_RUN } from './path.ts';

const INTERVAL_MS = 1000;
const MAX_POINTS = 96;
/** Of the drawing, which is stretched to the width of the button. */
const SIZE = { width: 100, height: 26 };

interface SparklinesProps {
  specs: readonly ChartSpec[];
  /** Ids of the charts that are open. */
  open: readonly string[];
}

/** One drawing for the whole row, so that the small charts do not hold up the large ones. */
export function Sparklines({ specs, open }: SparklinesProps) {
  const { table } = useClient().stores;
  const row = useRef<HTMLUListElement>(null);
  const tick = useChartTick(row, {
    version: () => table.version,
    interval: INTERVAL_MS,
    maxPoints: MAX_POINTS,
  });
  return (
    <ul ref={row} className="sparklines">
      {specs.map((spec) => (
        <li key={spec.id}>
          <Sparkline spec={spec} tick={tick} open={open.includes(spec.id)} />
        </li>
      ))}
    </ul>
  );
}

interface SparklineProps {
  spec: ChartSpec;
  tick: Tick;
  open: boolean;
}

const Sparkline = memo(function Sparkline({ spec, tick, open }: SparklineProps) {
  const { table, view } = useClient().stores;
  const axis = useView((state) => state.axis);
  const { paths, value } = useMemo(
    () => ({ paths: pathsOf(tick.points, table, { spec, axis }), value: latest(table, spec) }),
    [tick, table, spec, axis],
  );
  return (
    <button
      type="button"
      className="sparkline"
      aria-expanded={open}
      title={spec.series.map(({ help }) => help).join(' ')}
      data-testid={`spark-${spec.id}`}
      onClick={() => toggleChart(view, spec.id)}
    >
      <span className="spark-title">{spec.title}</span>
      <b>
        {value} <span className="muted">{spec.unit}</span>
      </b>
      <svg
        viewBox={`0 0 ${SIZE.width} ${SIZE.height}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {spec.series.map(({ metric, colour }, index) => (
          <path key={metric} d={paths[index]} stroke={colour} vectorEffect="non-scaling-stroke" />
        ))}
      </svg>
    </button>
  );
});

/** The latest value of the first series that has one. */
function latest(table: MetricTable, spec: ChartSpec): string {
  const measured = spec.series.find(({ metric }) => table.get(metric)?.length);
  return measured ? spec.format(table.get(measured.metric)?.last ?? NaN) : '–';
}

interface Shown {
  spec: ChartSpec;
  axis: Axis;
}

/** One SVG path per series, over the whole run. */
function pathsOf(points: number, table: MetricTable, { spec, axis }: Shown): string[] {
  const view = { ...WHOLE_RUN, axis, points };
  const data = chartData(table, new Map(), spec.series, view);
  return spec.series.map(({ metric }) => pathOf(data, metric, { ...SIZE, floor: spec.floor }));
}
