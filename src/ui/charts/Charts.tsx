/** The charts column: a large loss chart above small multiples of the other metrics. */
import { ChartCard } from './ChartCard.tsx';
import { LOSS, SMALL } from './catalogue.ts';
import { ChartBar } from './ChartBar.tsx';
import '../styles/charts.css';

export default function Charts() {
  return (
    <>
      <ChartBar />
      <ChartCard spec={LOSS} height={320} large />
      <div className="small-charts">
        {SMALL.map((spec) => (
          <ChartCard key={spec.id} spec={spec} height={132} />
        ))}
      </div>
    </>
  );
}
