/** The table behind a chart: for those who cannot see it, and for exact numbers. */
import { nearestRow, type Axis, type ChartRow } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { axisText } from './scale.ts';

const MOST_ROWS = 40;

export function DataTable({
  spec,
  rows,
  axis,
}: {
  spec: ChartSpec;
  rows: readonly ChartRow[];
  axis: Axis;
}) {
  return (
    <div className="data-table" tabIndex={0} role="region" aria-label={`Table: ${spec.title}`}>
      <table>
        <thead>
          <tr>
            <th scope="col">{axis}</th>
            {spec.series.map((one) => (
              <th key={one.metric} scope="col">
                {one.metric}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {pick(rows, spec).map((row) => (
            <tr key={row.x}>
              <th scope="row">{axisText(row.x, axis)}</th>
              {spec.series.map((one) => (
                <td key={one.metric}>
                  {row[one.metric] === undefined ? '' : spec.format(row[one.metric] ?? NaN)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/**
 * Newest first; where there are too many, evenly spaced by x, those with every series preferred.
 */
function pick(rows: readonly ChartRow[], spec: ChartSpec): ChartRow[] {
  const full = rows.filter((row) => spec.series.every((one) => row[one.metric] !== undefined));
  const from = full.length >= 8 ? full : rows;
  if (from.length <= MOST_ROWS) return from.toReversed();
  const low = from[0]?.x ?? 0;
  const high = from.at(-1)?.x ?? 0;
  const chosen = new Set(
    Array.from({ length: MOST_ROWS }, (_, i) =>
      nearestRow(from, low + ((high - low) * i) / (MOST_ROWS - 1)),
    ),
  );
  return [...chosen].flatMap((index) => from[index] ?? []).toReversed();
}
