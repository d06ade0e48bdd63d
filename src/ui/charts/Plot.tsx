/** Draws a chart with recharts, without animation, under the layer of the crosshair. */
import { CartesianGrid, LineChart, ReferenceLine, XAxis, YAxis } from 'recharts';
import { type ChartData, type ViewState } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { overlayLines, seriesLines } from './lines.tsx';
import { MARGIN, plotArea, X_AXIS_HEIGHT, Y_AXIS_WIDTH } from './plot_area.ts';
import { PlotLayer } from './PlotLayer.tsx';
import type { Reference } from './references.ts';
import { niceTicks, paddedDomain, tickText, xDomainOf } from './scale.ts';

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
  const xDomain = xDomainOf(view, data.x);
  const area = plotArea({ width, height });
  // recharts inspects its children, so axes and lines are elements here, not components of ours.
  // It draws through portals into groups, to which React's listeners give a stop of the Tab key.
  return (
    <>
      <div inert>
        <LineChart
          width={width}
          height={height}
          data={data.rows}
          margin={MARGIN}
          accessibilityLayer={false}
        >
          <CartesianGrid vertical={false} stroke="var(--line)" />
          <XAxis {...xAxisProps(view, xDomain)} />
          <YAxis {...yAxisProps(props)} />
          {references.map(referenceLine)}
          {overlayLines(overlays, spec)}
          {seriesLines(spec, { smoothed: view.smoothing > 0 })}
        </LineChart>
      </div>
      <PlotLayer {...{ spec, rows: data.rows, view, domain: xDomain, area, overlays }} />
    </>
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
    height: X_AXIS_HEIGHT,
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
    width: Y_AXIS_WIDTH,
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
