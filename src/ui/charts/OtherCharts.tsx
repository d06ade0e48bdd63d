/** The charts besides the first: a row of sparklines, the opened ones, and what has no data yet. */
import type { BackendName } from '../../config/index.ts';
import { toggleChart, type MetricTable } from '../../store/index.ts';
import { useClient, useRun, useView } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';
import { ChartCard } from './ChartCard.tsx';
import { Sparklines } from './Sparklines.tsx';

interface OtherChartsProps {
  specs: readonly ChartSpec[];
}

export function OtherCharts({ specs }: OtherChartsProps) {
  const { view } = useClient().stores;
  const isMeasured = useMeasured(specs);
  const openCharts = useView((state) => state.openCharts);
  const measured = specs.filter(isMeasured);
  const open = measured.filter(({ id }) => openCharts.includes(id));
  return (
    <>
      {measured.length > 0 ? <Sparklines specs={measured} open={openCharts} /> : null}
      {open.length > 0 ? (
        <div className="open-charts">
          {open.map((spec) => (
            <ChartCard key={spec.id} spec={spec} onClose={() => toggleChart(view, spec.id)} />
          ))}
        </div>
      ) : null}
      <NotMeasured specs={specs.filter((spec) => !isMeasured(spec))} />
    </>
  );
}

const hasData = (table: MetricTable, spec: ChartSpec): boolean =>
  spec.series.some(({ metric }) => (table.get(metric)?.length ?? 0) > 0);

/**
 * Whether a chart has data. The table is mutable and not React state; it changes before the run's
 * state does, so that looking again at each change of that state suffices.
 */
function useMeasured(specs: readonly ChartSpec[]): (spec: ChartSpec) => boolean {
  const { table } = useClient().stores;
  const measured = useRun(() =>
    specs.flatMap((spec) => (hasData(table, spec) ? [spec.id] : [])).join(' '),
  );
  const ids = new Set(measured.split(' '));
  return (spec) => ids.has(spec.id);
}

/** Backends whose memory is counted. */
const MEASURABLE: readonly BackendName[] = ['webgpu', 'wasm'];

function NotMeasured({ specs }: OtherChartsProps) {
  const isMeasurable = useRun(
    ({ device }) => device === null || MEASURABLE.includes(device.backend),
  );
  if (specs.length === 0) return null;
  const names = specs.map(({ title, elsewhere }) =>
    elsewhere && !isMeasurable ? `${title} (${elsewhere})` : title,
  );
  return (
    <p className="not-measured small muted" data-testid="not-measured">
      Not measured yet: {names.join(', ')}.
    </p>
  );
}
