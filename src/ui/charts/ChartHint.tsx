/** The hint of a chart: what it shows, its series, and its dashed lines. */
import { Hint } from '../Hint.tsx';
import type { ChartSpec } from './catalogue.ts';
import { useReferences } from './references.ts';

export function ChartHint({ spec }: { spec: ChartSpec }) {
  const references = useReferences(spec);
  const [first] = spec.series;
  const terms = [
    ...(spec.series.length > 1 ? spec.series : []),
    ...references.map(({ label, help }) => ({ label: `${label} (dashed)`, help })),
  ];
  return (
    <Hint about={spec.title}>
      <h3>{spec.title}</h3>
      {spec.help ? <p>{spec.help}</p> : null}
      {spec.series.length === 1 && first ? <p>{first.help}</p> : null}
      {terms.length > 0 ? (
        <dl className="hint-terms">
          {terms.map(({ label, help }) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{help}</dd>
            </div>
          ))}
        </dl>
      ) : null}
    </Hint>
  );
}
