/** The results of a comparison, one row per backend and mode. */
import {
  BACKEND_NAMES,
  COMPARE_HEADINGS,
  COMPARE_MODES,
  compareCells,
} from '../../store/compare_table.ts';
import type { ComparisonRow } from '../../store/index.ts';

/** Column of the mode, which also carries its explanation. */
const MODE_COLUMN = 1;

export function CompareTable({ rows }: { rows: readonly ComparisonRow[] }) {
  return (
    <div className="compare-table" tabIndex={0} role="region" aria-label="Comparison">
      <table data-testid="comparison">
        <thead>
          <tr>
            {COMPARE_HEADINGS.map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.backend} ${row.mode}`} data-failed={row.error ? true : undefined}>
              {row.error ? (
                <FailedCells rows={rows} row={row} />
              ) : (
                <MeasuredCells rows={rows} row={row} />
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellsProps {
  /** All rows: the first one is the reference of the loss drift. */
  rows: readonly ComparisonRow[];
  row: ComparisonRow;
}

function FailedCells({ rows, row }: CellsProps) {
  return (
    <>
      <th scope="row">{BACKEND_NAMES[row.backend]}</th>
      <td colSpan={COMPARE_HEADINGS.length - 1}>{compareCells(rows, row)[MODE_COLUMN]}</td>
    </>
  );
}

function MeasuredCells({ rows, row }: CellsProps) {
  const [backend, ...cells] = compareCells(rows, row);
  return (
    <>
      <th scope="row">{backend}</th>
      {cells.map((cell, index) => (
        <td key={COMPARE_HEADINGS[index + 1]}>
          {cell}
          {index + 1 === MODE_COLUMN ? (
            <span className="compare-about">{COMPARE_MODES[row.mode].about}</span>
          ) : null}
        </td>
      ))}
    </>
  );
}
