/** The data of a chart as a table: for screen readers, and for exact numbers. */
import { nearestRow, type Axis, type ChartRow } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { axisText } from './scale.ts';

const MAX_ROWS = 40;
/** With at least this many complete rows, rows that lack a series are omitted. */
const MIN_COMPLETE_ROWS = 8;

const AXIS_TITLES: Record<Axis, string> = { step: 'Step', tokens: 'Tokens', seconds: 'Time' };

interface DataTableProps {
  spec: ChartSpec;
  rows: readonly ChartRow[];
  axis: Axis;
}

export function DataTable({ spec, rows, axis }: DataTableProps) {
  return (
    <div className="data-table" tabIndex={0} role="region" aria-label={`Table: ${spec.title}`}>
      <table>
        <thead>
          <tr>
            <th scope="col">{AXIS_TITLES[axis]}</th>
            {spec.series.map(({ metric, label }) => (
              <th key={metric} scope="col">
                {spec.series.length > 1 ? label : spec.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {selectRows(rows, spec).map((row) => (
            <tr key={row.x}>
              <th scope="row">{axisText(row.x, axis)}</th>
              {spec.series.map(({ metric }) => (
                <td key={metric}>{row[metric] === undefined ? '' : spec.format(row[metric])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** At most `MAX_ROWS` rows, newest first, evenly spaced in x. */
function selectRows(rows: readonly ChartRow[], spec: ChartSpec): ChartRow[] {
  const complete = rows.filter((row) =>
    spec.series.every(({ metric }) => row[metric] !== undefined),
  );
  const candidates = complete.length >= MIN_COMPLETE_ROWS ? complete : rows;
  if (candidates.length <= MAX_ROWS) return candidates.toReversed();
  const low = candidates[0]?.x ?? 0;
  const high = candidates.at(-1)?.x ?? 0;
  const selected = new Set(
    Array.from({ length: MAX_ROWS }, (_, i) =>
      nearestRow(candidates, low + ((high - low) * i) / (MAX_ROWS - 1)),
    ),
  );
  return [...selected].flatMap((index) => candidates[index] ?? []).toReversed();
}
