/** The results of a comparison at a glance: a bar per row, as long as its step takes. */
import type { CSSProperties } from 'react';
import {
  BACKEND_NAMES,
  COMPARE_MODES,
  type CompareBar,
  type CompareChart,
  compareChart,
} from '../../store/compare_table.ts';
import type { ComparisonRow } from '../../store/index.ts';

export function CompareBars({ rows }: { rows: readonly ComparisonRow[] }) {
  const { bars, decades } = compareChart(rows);
  if (bars.length === 0) return null;
  return (
    <figure className="compare-bars" data-testid="compare-bars">
      <figcaption>
        Time of a step
        <span className="small muted">
          {decades
            ? ' shorter is faster; each line is ten times the one before'
            : ' shorter is faster'}
        </span>
      </figcaption>
      <ul style={decades ? percentages({ '--decade': decades.share }) : undefined}>
        {decades ? <Axis decades={decades} /> : null}
        {bars.map((bar) => (
          <Bar key={`${bar.backend} ${bar.mode}`} bar={bar} hasLines={decades !== null} />
        ))}
      </ul>
    </figure>
  );
}

/** Custom properties of CSS, from shares. */
const percentages = (shares: Record<`--${string}`, number>): CSSProperties =>
  Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, `${100 * share}%`]));

/** Each bar says its time in words, so a screen reader leaves the axis out. */
function Axis({ decades }: { decades: NonNullable<CompareChart['decades']> }) {
  return (
    <li className="compare-axis" aria-hidden>
      <div>
        {decades.labels.map((label, index) => (
          <span key={label} style={{ left: `${100 * index * decades.share}%` }}>
            {label}
          </span>
        ))}
      </div>
    </li>
  );
}

function Bar({ bar, hasLines }: { bar: CompareBar; hasLines: boolean }) {
  const { backend, mode, share, step, wait } = bar;
  return (
    <li data-testid="compare-bar">
      <p>
        <strong>{BACKEND_NAMES[backend]}</strong>{' '}
        <span className="muted">{COMPARE_MODES[mode].label}</span>
      </p>
      <div
        className="compare-bar"
        data-backend={backend}
        data-mode={mode}
        data-lines={hasLines || undefined}
      >
        <i style={{ width: `${100 * share}%` }} aria-hidden />
      </div>
      <p className="compare-bar-time">
        <strong>{step}</strong> <span className="sr-only">a step; </span>
        <span className="muted">1,000 steps: {wait}</span>
      </p>
    </li>
  );
}
