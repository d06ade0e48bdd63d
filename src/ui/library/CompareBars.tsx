/** The results of a comparison at a glance: a bar per row, as long as its step takes. */
import { BACKEND_NAMES, COMPARE_MODES, compareBars } from '../../store/compare_table.ts';
import type { ComparisonRow } from '../../store/index.ts';

export function CompareBars({ rows }: { rows: readonly ComparisonRow[] }) {
  const bars = compareBars(rows);
  if (bars.length === 0) return null;
  return (
    <figure className="compare-bars" data-testid="compare-bars">
      <figcaption>
        Time of a step
        <span className="small muted"> shorter is faster</span>
      </figcaption>
      <ul>
        {bars.map(({ backend, mode, share, step, wait }) => (
          <li key={`${backend} ${mode}`}>
            <p className="compare-bar-name">
              <strong>{BACKEND_NAMES[backend]}</strong>{' '}
              <span className="muted">{COMPARE_MODES[mode].label}</span>
            </p>
            <div className="compare-bar" data-backend={backend} data-mode={mode}>
              <i style={{ width: `${100 * share}%` }} aria-hidden />
            </div>
            <p className="compare-bar-time">
              <strong>{step}</strong> <span className="sr-only">a step; </span>
              <span className="muted">1,000 steps: {wait}</span>
            </p>
          </li>
        ))}
      </ul>
    </figure>
  );
}
