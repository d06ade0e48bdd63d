/** One chart with its title and latest values, or the same data as a table. */
import { ActionIcon, CloseButton } from '@mantine/core';
import { IconTable } from '@tabler/icons-react';
import { memo, useMemo, useRef, useState, type ReactNode, type RefObject } from 'react';
import {
  POINTS_PER_SERIES,
  chartData,
  type ChartData,
  type MetricTable,
} from '../../store/index.ts';
import { useClient, useLibrary, useView } from '../context.tsx';
import { useChartTick, type Tick } from './clock.ts';
import type { ChartSpec } from './catalogue.ts';
import { ChartHint } from './ChartHint.tsx';
import { DataTable } from './DataTable.tsx';
import { Plot } from './Plot.tsx';
import { useReferences } from './references.ts';
import { useSize } from './useSize.ts';

/** Milliseconds between two drawings at least. */
const INTERVAL_MS = 250;

interface ChartCardProps {
  spec: ChartSpec;
  /** Shown under the plot. */
  controls?: ReactNode;
  /** Adds a button that closes the chart. */
  onClose?: () => void;
}

export const ChartCard = memo(function ChartCard({ spec, controls, onClose }: ChartCardProps) {
  const { table } = useClient().stores;
  const box = useRef<HTMLDivElement>(null);
  const tick = useChartTick(box, {
    version: () => table.version,
    interval: INTERVAL_MS,
    maxPoints: POINTS_PER_SERIES,
  });
  const [asTable, setAsTable] = useState(false);
  return (
    <article className="chart" aria-label={`Chart: ${spec.title}`} data-testid={`chart-${spec.id}`}>
      <header>
        <div className="chart-title">
          <h3>
            {spec.title}
            {spec.unit ? <span className="muted"> {spec.unit}</span> : null}
          </h3>
          <ChartHint spec={spec} />
        </div>
        <LatestValues spec={spec} tick={tick} />
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={`${spec.title} as a table`}
          aria-pressed={asTable}
          onClick={() => setAsTable((shown) => !shown)}
        >
          <IconTable size={15} />
        </ActionIcon>
        {onClose ? (
          <CloseButton size="sm" aria-label={`Close ${spec.title}`} onClick={onClose} />
        ) : null}
      </header>
      <div ref={box} className="chart-box">
        <ChartBody {...{ spec, tick, box, asTable }} />
      </div>
      {controls}
    </article>
  );
});

interface ChartBodyProps {
  spec: ChartSpec;
  tick: Tick;
  /** Element that the plot fills. */
  box: RefObject<HTMLDivElement | null>;
  asTable: boolean;
}

function ChartBody({ spec, tick, box, asTable }: ChartBodyProps) {
  const { width, height } = useSize(box);
  const view = useView((state) => state);
  const overlays = useLibrary((state) => state.overlays);
  const references = useReferences(spec);
  const data = useChartData(spec, tick);
  if (asTable) return <DataTable spec={spec} rows={data.rows} axis={view.axis} />;
  if (data.rows.length === 0)
    return <p className="chart-empty">The curve starts with the first step.</p>;
  if (width === 0 || height === 0) return null;
  const runs = [...overlays.keys()];
  return <Plot {...{ spec, data, view, width, height, references, overlays: runs }} />;
}

/** Recomputed at every tick: the metric table is mutable and not React state. */
function useChartData(spec: ChartSpec, tick: Tick): ChartData {
  const { table } = useClient().stores;
  const view = useView((state) => state);
  const overlays = useLibrary((state) => state.overlays);
  return useMemo(
    () => chartData(table, overlays, spec.series, { ...view, points: tick.points }),
    [tick, table, overlays, spec, view],
  );
}

interface LatestProps {
  spec: ChartSpec;
  tick: Tick;
}

/** The legend: the colour and the latest value of each series. */
function LatestValues({ spec, tick }: LatestProps) {
  const { table } = useClient().stores;
  const values = useMemo(() => latestValues(tick, table, spec), [tick, table, spec]);
  return (
    <ul className="newest">
      {spec.series.map((series, index) => (
        <li key={series.metric} title={`${series.label}: ${series.help}`}>
          <i
            style={{ background: series.colour }}
            data-points={series.kind === 'points' || undefined}
          />
          {spec.series.length > 1 ? (
            <span className="muted newest-label">{series.label}</span>
          ) : null}
          <b>{values[index]}</b>
        </li>
      ))}
    </ul>
  );
}

/** `tick` is unused: it marks the state of the mutable table that the values were read from. */
function latestValues(_tick: Tick, table: MetricTable, spec: ChartSpec): string[] {
  return spec.series.map(({ metric }) => {
    const value = table.get(metric)?.last ?? NaN;
    return Number.isFinite(value) ? spec.format(value) : '–';
  });
}
