/** The charts column: a large chart of the loss above small ones of the run's other metrics. */
import { useMemo } from 'react';
import { useRun } from '../context.tsx';
import { ChartBar } from './ChartBar.tsx';
import { ChartCard } from './ChartCard.tsx';
import { chartSpecs } from './catalogue.ts';
import '../styles/charts.css';

export default function Charts() {
  const metrics = useRun((state) => state.metrics);
  const charts = useRun((state) => state.charts);
  const [large, ...small] = useMemo(() => chartSpecs(metrics, charts), [metrics, charts]);
  return (
    <>
      <ChartBar />
      {large ? <ChartCard key={large.id} spec={large} height={320} large /> : null}
      <div className="small-charts">
        {small.map((spec) => (
          <ChartCard key={spec.id} spec={spec} height={132} />
        ))}
      </div>
    </>
  );
}
