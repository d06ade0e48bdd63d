/** One chart with its title, newest values and, when asked for, its table. */
import { ActionIcon } from '@mantine/core';
import { IconTable } from '@tabler/icons-react';
import { memo, useMemo, useRef, useState } from 'react';
import { POINTS_PER_SERIES, chartData, type ChartData } from '../../store/index.ts';
import { useClient, useLibrary, useRun, useView } from '../context.tsx';
import { useChartTick } from './clock.ts';
import type { ChartSpec } from './catalogue.ts';
import { DataTable } from './DataTable.tsx';
import { Plot, type Reference } from './Plot.tsx';
import { useWidth } from './useWidth.ts';

/** A small chart has fewer pixels. */
const SMALL_POINTS = 120;

export const ChartCard = memo(function ChartCard({
  spec,
  height,
  large = false,
}: {
  spec: ChartSpec;
  height: number;
  large?: boolean;
}) {
  const { stores } = useClient();
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const view = useView((state) => state);
  const overlays = useLibrary((state) => state.overlays);
  const tick = useChartTick(
    box,
    () => stores.table.version,
    large ? 250 : 1000,
    large ? POINTS_PER_SERIES : SMALL_POINTS,
  );
  const [asTable, setAsTable] = useState(false);
  // `tick` stands for the table's contents, which are mutable and outside of React.
  const data = useMemo(
    () => dataAt(tick, () => chartData(stores.table, overlays, spec.series, view, tick.points)),
    [tick, stores, overlays, spec, view],
  );
  const references = useReferences(spec);
  const elsewhere = useRun((state) => state.device !== null && state.device.backend !== 'webgpu');
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
        <Newest spec={spec} tick={tick} />
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={`${spec.title} as a table`}
          aria-pressed={asTable}
          onClick={() => setAsTable((on) => !on)}
        >
          <IconTable size={15} />
        </ActionIcon>
      </header>
      <div ref={box} style={{ height }} className="chart-box">
        {asTable ? (
          <DataTable spec={spec} rows={data.rows} axis={view.axis} />
        ) : data.rows.length === 0 ? (
          <p className="chart-empty">{(elsewhere && spec.elsewhere) || 'Nothing measured yet'}</p>
        ) : width > 0 ? (
          <Plot
            spec={spec}
            data={data}
            view={view}
            width={width}
            height={height}
            references={references}
            overlays={[...overlays.keys()]}
            large={large}
          />
        ) : null}
      </div>
    </article>
  );
});

const dataAt = (_tick: object, make: () => ChartData): ChartData => make();

/** Newest value of each series, beside its colour: the legend. */
function Newest({ spec, tick }: { spec: ChartSpec; tick: object }) {
  const { stores } = useClient();
  const values = useMemo(
    () => valuesAt(tick, () => spec.series.map((one) => stores.table.get(one.metric)?.last ?? NaN)),
    [tick, spec, stores],
  );
  return (
    <ul className="newest">
      {spec.series.map((one, index) => (
        <li key={one.metric} title={one.label}>
          <i style={{ background: one.colour }} data-points={one.kind === 'points' || undefined} />
          {spec.series.length > 1 ? <span className="muted newest-label">{one.label}</span> : null}
          <b>{Number.isFinite(values[index]) ? spec.format(values[index] ?? NaN) : '–'}</b>
        </li>
      ))}
    </ul>
  );
}
const valuesAt = (_tick: object, make: () => number[]): number[] => make();

function useReferences(spec: ChartSpec): Reference[] {
  const uniform = useRun((state) => state.data?.uniform_loss ?? null);
  const bigram = useRun((state) => state.data?.bigram_loss ?? null);
  const planned = useRun((state) => state.planned_bytes);
  return useMemo(() => {
    if (spec.references === 'baselines') {
      return [
        ...(uniform === null ? [] : [{ y: uniform, label: 'uniform' }]),
        ...(bigram === null ? [] : [{ y: bigram, label: 'bigram' }]),
      ];
    }
    return spec.references === 'plan' && planned > 0 ? [{ y: planned, label: 'planned' }] : [];
  }, [spec, uniform, bigram, planned]);
}
