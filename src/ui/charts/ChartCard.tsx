/** One chart with its title and latest values, or the same data as a table. */
import { ActionIcon } from '@mantine/core';
import { IconTable } from '@tabler/icons-react';
import { memo, useMemo, useRef, useState, type RefObject } from 'react';
import {
  POINTS_PER_SERIES,
  chartData,
  type ChartData,
  type MetricTable,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun, useView } from '../context.tsx';
import { useChartTick, type Tick } from './clock.ts';
import type { ChartSpec } from './catalogue.ts';
import { DataTable } from './DataTable.tsx';
import { Plot } from './Plot.tsx';
import { useReferences } from './references.ts';
import { useWidth } from './useWidth.ts';

/** Points per series of a small chart, which has fewer pixels. */
const SMALL_POINTS = 120;
/** Milliseconds between two drawings at least. */
const LARGE_INTERVAL = 250;
const SMALL_INTERVAL = 1000;

interface ChartCardProps {
  spec: ChartSpec;
  /** Of the plot, in CSS pixels. */
  height: number;
  large?: boolean;
}

export const ChartCard = memo(function ChartCard({ spec, height, large = false }: ChartCardProps) {
  const { table } = useClient().stores;
  const box = useRef<HTMLDivElement>(null);
  const tick = useChartTick(box, {
    version: () => table.version,
    interval: large ? LARGE_INTERVAL : SMALL_INTERVAL,
    maxPoints: large ? POINTS_PER_SERIES : SMALL_POINTS,
  });
  const [asTable, setAsTable] = useState(false);
  return (
    <article
      className="chart"
      data-large={large || undefined}
      aria-label={`Chart: ${spec.title}`}
      data-testid={`chart-${spec.id}`}
    >
      <header>
        <h3>
          {spec.title}
          {spec.unit ? <span className="muted"> {spec.unit}</span> : null}
        </h3>
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
      </header>
      <div ref={box} style={{ height }} className="chart-box">
        <ChartBody {...{ spec, height, large, tick, box, asTable }} />
      </div>
    </article>
  );
});

interface ChartBodyProps extends Required<ChartCardProps> {
  tick: Tick;
  /** Element whose width the plot fills. */
  box: RefObject<HTMLDivElement | null>;
  asTable: boolean;
}

function ChartBody({ spec, height, large, tick, box, asTable }: ChartBodyProps) {
  const width = useWidth(box);
  const view = useView((state) => state);
  const overlays = useLibrary((state) => state.overlays);
  const references = useReferences(spec);
  const data = useChartData(spec, tick);
  if (asTable) return <DataTable spec={spec} rows={data.rows} axis={view.axis} />;
  if (data.rows.length === 0) return <EmptyChart spec={spec} />;
  if (width === 0) return null;
  const runs = [...overlays.keys()];
  return <Plot {...{ spec, data, view, width, height, references, overlays: runs, large }} />;
}

function EmptyChart({ spec }: { spec: ChartSpec }) {
  const isWebGPU = useRun(({ device }) => device === null || device.backend === 'webgpu');
  const text = isWebGPU ? undefined : spec.elsewhere;
  return <p className="chart-empty">{text ?? 'No data yet'}</p>;
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
