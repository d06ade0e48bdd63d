/** Draws a chart with recharts: no animation, one crosshair across all charts, zoom by dragging. */
import {
  CartesianGrid,
  LineChart,
  ReferenceArea,
  ReferenceLine,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import { nearestRow, type ChartData, type ViewState } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';
import { Crosshair } from './Crosshair.tsx';
import { overlayLines, seriesLines } from './lines.tsx';
import type { Reference } from './references.ts';
import { niceTicks, paddedDomain, tickText, xDomainOf } from './scale.ts';
import { useZoom } from './useZoom.ts';

interface PlotProps {
  spec: ChartSpec;
  data: ChartData;
  view: ViewState;
  /** In CSS pixels, as `height`. */
  width: number;
  height: number;
  references: readonly Reference[];
  /** Ids of the overlaid runs. */
  overlays: readonly string[];
}

export function Plot(props: PlotProps) {
  const { spec, data, view, width, height, references, overlays } = props;
  const { stores } = useClient();
  const xDomain = xDomainOf(view, data.x);
  const zoom = useZoom(stores.view, xDomain);
  // recharts inspects its children, so axes and lines are elements here, not components of ours.
  return (
    <LineChart
      width={width}
      height={height}
      data={data.rows}
      syncId="metrics"
      syncMethod={syncByX}
      margin={{ top: 6, right: 10, bottom: 0, left: 0 }}
      accessibilityLayer={false}
      style={{ cursor: 'crosshair', userSelect: 'none' }}
      {...zoom.handlers}
    >
      <CartesianGrid vertical={false} stroke="var(--line)" />
      <XAxis {...xAxisProps(view, xDomain)} />
      <YAxis {...yAxisProps(props)} />
      {references.map(referenceLine)}
      {overlayLines(overlays, spec)}
      {seriesLines(spec, { smoothed: view.smoothing > 0 })}
      {zoom.drag ? (
        <ReferenceArea
          x1={zoom.drag[0]}
          x2={zoom.drag[1]}
          fill="var(--accent)"
          fillOpacity={0.14}
        />
      ) : null}
      <Tooltip
        isAnimationActive={false}
        cursor={{ stroke: 'var(--muted)', strokeWidth: 1 }}
        content={<Crosshair spec={spec} axis={view.axis} />}
        wrapperStyle={{ zIndex: 5 }}
      />
    </LineChart>
  );
}

/** The charts have different rows, so the crosshair is synchronized by x, not by index. */
function syncByX(
  ticks: readonly { value?: unknown }[],
  data: { activeLabel?: string | number },
): number {
  return nearestRow(
    ticks.map((tick) => ({ x: Number(tick.value) })),
    Number(data.activeLabel),
  );
}

const TICK = { fontSize: 11, fill: 'var(--muted)' };

function xAxisProps(view: ViewState, domain: [number, number]) {
  return {
    dataKey: 'x',
    type: 'number',
    scale: view.logX ? 'log' : 'linear',
    domain,
    allowDataOverflow: true,
    height: 22,
    tick: TICK,
    tickLine: false,
    stroke: 'var(--line)',
    ticks: niceTicks(domain, { log: view.logX, maxTicks: 8, integers: true }),
    tickFormatter: (value: number) => tickText(value, view.axis),
    minTickGap: 8,
  } as const;
}

function yAxisProps({ spec, data, view, references }: PlotProps) {
  const domain = paddedDomain(data.y, {
    references: references.map((reference) => reference.y),
    log: view.logY,
    floor: spec.floor,
  });
  return {
    type: 'number',
    scale: view.logY ? 'log' : 'linear',
    domain,
    allowDataOverflow: true,
    width: 54,
    tick: TICK,
    tickLine: false,
    axisLine: false,
    ticks: niceTicks(domain, { log: view.logY, maxTicks: 6 }),
    tickFormatter: spec.format,
    interval: 0,
  } as const;
}

const referenceLine = ({ y, label }: Reference) => (
  <ReferenceLine
    key={label}
    y={y}
    stroke="var(--muted)"
    strokeDasharray="5 4"
    label={{ value: label, position: 'insideBottomRight', fontSize: 11, fill: 'var(--muted)' }}
  />
);
