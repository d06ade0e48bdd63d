/** A chart as a small picture: lines, two axes, and a legend where there are several lines. */
import { averageKey, chartData, type ChartRow } from '../../store/index.ts';
import type { ChartSpec, DrawnSeries } from '../charts/catalogue.ts';
import { niceTicks, paddedDomain } from '../charts/scale.ts';
import { useClient } from '../context.tsx';

interface PrintedProps {
  spec: ChartSpec;
  /** Of the drawing, in CSS pixels; it is scaled to the width of its place. */
  width: number;
  height: number;
}

type Range = readonly [number, number];
type Scale = (value: number) => number;

/** Room for the labels of the axes. */
const LEFT = 44;
const BOTTOM = 18;

const scaleOf =
  ([low, high]: Range, [from, to]: Range): Scale =>
  (value) =>
    from + ((value - low) / (high - low || 1)) * (to - from);

export function PrintedChart({ spec, width, height }: PrintedProps) {
  const { table, view } = useClient().stores;
  const whole = { ...view.getState(), axis: 'step', zoom: null, logX: false, logY: false } as const;
  const { rows, x, y } = chartData(table, new Map(), spec.series, whole);
  const domain = { log: false, references: [], floor: spec.floor };
  const xRange: Range = x ?? [0, 1];
  const yRange = paddedDomain(y, domain);
  const toX = scaleOf(xRange, [LEFT, width - 6]);
  const toY = scaleOf(yRange, [height - BOTTOM, 6]);
  const maxTicks = height > 150 ? 5 : 2;
  return (
    <figure className="print-chart">
      <figcaption>
        {spec.title}
        {spec.unit ? ` (${spec.unit})` : ''}
        {spec.series.length > 1 ? <Legend series={spec.series} /> : null}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} aria-hidden>
        {niceTicks(yRange, { log: false, maxTicks }).map((value) => (
          <g key={value}>
            <line x1={LEFT} x2={width} y1={toY(value)} y2={toY(value)} className="print-grid" />
            <text x={LEFT - 4} y={toY(value) + 3} textAnchor="end">
              {spec.format(value)}
            </text>
          </g>
        ))}
        {niceTicks(xRange, { log: false, maxTicks, integers: true }).map((value) => (
          <text key={value} x={toX(value)} y={height - 4} textAnchor="middle">
            {value}
          </text>
        ))}
        {spec.series.map((series) => (
          <SeriesLines key={series.metric} series={series} points={{ rows, toX, toY }} />
        ))}
      </svg>
    </figure>
  );
}

const Legend = ({ series }: { series: readonly DrawnSeries[] }) =>
  series.map(({ metric, label, colour }) => (
    <span key={metric} style={{ color: colour }}>
      {label}
    </span>
  ));

interface Points {
  rows: readonly ChartRow[];
  toX: Scale;
  toY: Scale;
}

function SeriesLines({ series, points }: { series: DrawnSeries; points: Points }) {
  const { metric, colour } = series;
  const average = pathOf(averageKey(metric), points);
  const raw = pathOf(metric, points);
  return (
    <g fill="none" stroke={colour} strokeLinejoin="round">
      <polyline points={raw} strokeWidth={average ? 0.7 : 1.4} opacity={average ? 0.4 : 1} />
      {average ? <polyline points={average} strokeWidth={1.6} /> : null}
    </g>
  );
}

const pathOf = (key: string, { rows, toX, toY }: Points): string =>
  rows
    .flatMap((row) => {
      const value = row[key];
      return value === undefined ? [] : [`${toX(row.x).toFixed(1)},${toY(value).toFixed(1)}`];
    })
    .join(' ');
