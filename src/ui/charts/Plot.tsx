/** The drawing: recharts without animation, one crosshair across all charts, zoom by dragging. */
import { useState } from 'react';
import {
  CartesianGrid,
  Line,
  LineChart,
  ReferenceArea,
  ReferenceLine,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import {
  averageKey,
  nearestRow,
  overlayKey,
  type ChartData,
  type ViewState,
} from '../../store/index.ts';
import { useClient } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';
import { Crosshair } from './Crosshair.tsx';
import { niceTicks, paddedDomain, tickText } from './scale.ts';

export interface Reference {
  y: number;
  label: string;
}

interface PlotProps {
  spec: ChartSpec;
  data: ChartData;
  view: ViewState;
  width: number;
  height: number;
  references: readonly Reference[];
  overlays: readonly string[];
  large: boolean;
}

/** Charts hold different rows, so the crosshair is carried over by x, not by index. */
function syncByX(
  ticks: readonly { value?: unknown }[],
  data: { activeLabel?: string | number },
): number {
  return nearestRow(
    ticks.map((tick) => ({ x: Number(tick.value) })),
    Number(data.activeLabel),
  );
}

export function Plot({ spec, data, view, width, height, references, overlays, large }: PlotProps) {
  const { stores } = useClient();
  const [drag, setDrag] = useState<readonly [number, number] | null>(null);
  const x = view.zoom ?? [
    view.axis === 'step' || !view.logX ? Math.min(0, data.x?.[0] ?? 0) : (data.x?.[0] ?? 1),
    data.x?.[1] ?? 1,
  ];
  const xDomain: [number, number] = view.logX
    ? [Math.max(x[0], data.x?.[0] ?? 1), x[1]]
    : [x[0], x[1]];
  const yDomain = paddedDomain(
    data.y,
    references.map((one) => one.y),
    view.logY,
    spec.floor,
  );
  const finish = (): void => {
    if (drag && Math.abs(drag[1] - drag[0]) > (xDomain[1] - xDomain[0]) / 100)
      stores.view.setState({ zoom: [Math.min(...drag), Math.max(...drag)] });
    setDrag(null);
  };
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
      onMouseDown={({ activeLabel }) => {
        if (activeLabel !== undefined) setDrag([Number(activeLabel), Number(activeLabel)]);
      }}
      onMouseMove={({ activeLabel }) => {
        if (drag && activeLabel !== undefined) setDrag([drag[0], Number(activeLabel)]);
      }}
      onMouseUp={finish}
      onMouseLeave={() => setDrag(null)}
      onDoubleClick={() => stores.view.setState({ zoom: null })}
    >
      <CartesianGrid vertical={false} stroke="var(--line)" />
      <XAxis
        dataKey="x"
        type="number"
        scale={view.logX ? 'log' : 'linear'}
        domain={xDomain}
        allowDataOverflow
        height={22}
        tick={TICK}
        tickLine={false}
        stroke="var(--line)"
        ticks={niceTicks(xDomain, view.logX, large ? 8 : 4, true)}
        tickFormatter={(value: number) => tickText(value, view.axis)}
        minTickGap={8}
      />
      <YAxis
        type="number"
        scale={view.logY ? 'log' : 'linear'}
        domain={yDomain}
        allowDataOverflow
        width={54}
        tick={TICK}
        tickLine={false}
        axisLine={false}
        ticks={niceTicks(yDomain, view.logY, large ? 6 : 3)}
        tickFormatter={spec.format}
        interval={0}
      />
      {references.map((one) => (
        <ReferenceLine
          key={one.label}
          y={one.y}
          stroke="var(--muted)"
          strokeDasharray="5 4"
          label={{
            value: one.label,
            position: 'insideBottomRight',
            fontSize: 11,
            fill: 'var(--muted)',
          }}
        />
      ))}
      {overlays.map((run, index) => (
        <Line
          key={run}
          dataKey={overlayKey(run, spec.series[0]?.metric ?? '')}
          stroke={`var(--c-over-${(index % 4) + 1})`}
          strokeWidth={1.4}
          dot={false}
          isAnimationActive={false}
          connectNulls
          activeDot={false}
        />
      ))}
      {spec.series.flatMap((one) => {
        const base = { isAnimationActive: false, connectNulls: true, stroke: one.colour } as const;
        if (one.kind === 'points')
          return [
            <Line
              key={one.metric}
              {...base}
              dataKey={one.metric}
              strokeWidth={1.8}
              dot={{ r: large ? 3 : 2, fill: one.colour, strokeWidth: 0 }}
              activeDot={{ r: 4 }}
            />,
          ];
        const bold = one.smooth && view.smoothing > 1;
        const raw = (
          <Line
            key={one.metric}
            {...base}
            dataKey={one.metric}
            strokeWidth={bold ? 1 : 1.7}
            strokeOpacity={bold ? 0.32 : 1}
            dot={false}
            activeDot={bold ? false : { r: 3 }}
          />
        );
        return bold
          ? [
              raw,
              <Line
                key={averageKey(one.metric)}
                {...base}
                dataKey={averageKey(one.metric)}
                strokeWidth={2.2}
                dot={false}
                activeDot={{ r: 3 }}
              />,
            ]
          : [raw];
      })}
      {drag ? (
        <ReferenceArea x1={drag[0]} x2={drag[1]} fill="var(--accent)" fillOpacity={0.14} />
      ) : null}
      <Tooltip
        isAnimationActive={false}
        cursor={{ stroke: 'var(--muted)', strokeWidth: 1 }}
        content={<Crosshair spec={spec} axis={view.axis} large={large} />}
        wrapperStyle={{ zIndex: 5 }}
      />
    </LineChart>
  );
}

const TICK = { fontSize: 11, fill: 'var(--muted)' };
