/** All evaluations as a table: sorted by any column, copied and saved. */
import { Button } from '@mantine/core';
import { IconCopy, IconDownload } from '@tabler/icons-react';
import { useMemo } from 'react';
import {
  cellText,
  type EvaluationTable,
  evaluationTable,
  formatValue,
  sortRows,
  type TableCell,
  type TableColumn,
  type TableRow,
  tableToCsv,
  tableToMarkdown,
} from '../../evaluation/index.ts';
import type { Evaluations } from '../../store/stages/evaluations.ts';
import { useClient } from '../context.tsx';
import { CutName } from '../CutName.tsx';
import { saveFile } from '../transfer.ts';
import { useEvaluations } from './evaluating.ts';

export function EvaluationTableView({ evaluating }: { evaluating: Evaluations }) {
  const records = useEvaluations((state) => state.records);
  const order = useEvaluations((state) => state.order);
  const table = useMemo(() => evaluationTable(records), [records]);
  const rows = sortRows(table, order);
  if (rows.length === 0) return null;
  const sorted = (by: string): 'ascending' | 'descending' | 'none' => {
    if (order.by !== by) return 'none';
    return order.descending ? 'descending' : 'ascending';
  };
  const heading = (by: string, title: string, help = '') => (
    <th key={by} scope="col" aria-sort={sorted(by)} title={help}>
      <button type="button" onClick={() => evaluating.sortBy(by)}>
        {title}
      </button>
    </th>
  );
  return (
    <section aria-label="Results" className="evaluate-results">
      <h2>Results</h2>
      <div className="evaluate-scroll" tabIndex={0} role="group" aria-label="Table of results">
        <table className="evaluate-table">
          <thead>
            <tr>
              {heading('model', 'Model')}
              {heading('step', 'Step')}
              {table.columns.map(({ key, title, metric }) => heading(key, title, metric.help))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.key}>
                <th scope="row">
                  <CutName name={row.model.name} />
                </th>
                <td>{row.model.step}</td>
                {table.columns.map((column) => (
                  <Cell key={column.key} cell={row.cells.get(column.key)} column={column} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Exports table={table} rows={rows} />
    </section>
  );
}

function Cell({ cell, column }: { cell: TableCell | undefined; column: TableColumn }) {
  if (!cell) return <td className="muted">–</td>;
  const { unit } = column.metric;
  const interval = cellText(cell, column.metric).slice(formatValue(cell.value, unit).length).trim();
  return (
    <td>
      {formatValue(cell.value, unit)}
      <span className="muted evaluate-interval">{interval}</span>
    </td>
  );
}

function Exports({ table, rows }: { table: EvaluationTable; rows: readonly TableRow[] }) {
  const client = useClient();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(tableToMarkdown(table, rows));
      client.notify('The table was copied as Markdown.');
    } catch {
      client.notify('The browser did not allow copying. Save the table instead.');
    }
  };
  const save = (format: 'csv' | 'md'): void =>
    saveFile(
      `evaluations.${format}`,
      format === 'csv' ? tableToCsv(table, rows) : tableToMarkdown(table, rows),
      format === 'csv' ? 'text/csv' : 'text/markdown',
    );
  return (
    <div className="evaluate-exports">
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconCopy size={14} />}
        onClick={() => void copy()}
      >
        Copy as Markdown
      </Button>
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconDownload size={14} />}
        onClick={() => save('csv')}
      >
        Save as CSV
      </Button>
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconDownload size={14} />}
        onClick={() => save('md')}
      >
        Save as Markdown
      </Button>
    </div>
  );
}
