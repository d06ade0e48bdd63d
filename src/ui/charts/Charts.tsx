/** The charts of a run: the first one large, the others as sparklines that open to full size. */
import { useMemo } from 'react';
import { useRun } from '../context.tsx';
import { ChartBar } from './ChartBar.tsx';
import { ChartCard } from './ChartCard.tsx';
import { OtherCharts } from './OtherCharts.tsx';
import { chartSpecs, mainFirst } from './catalogue.ts';
import '../styles/charts.css';

export interface ChartsProps {
  /** The chart beside the words, or the ones below. */
  part: 'first' | 'others';
}

export default function Charts({ part }: ChartsProps) {
  const metrics = useRun((state) => state.metrics);
  const charts = useRun((state) => state.charts);
  const objective = useRun((state) => state.lineage?.objective);
  const [first, ...others] = useMemo(
    () => mainFirst(chartSpecs(metrics, charts), objective),
    [metrics, charts, objective],
  );
  if (part === 'others') return <OtherCharts specs={others} />;
  return first ? <ChartCard key={first.id} spec={first} controls={<ChartBar />} /> : null;
}
