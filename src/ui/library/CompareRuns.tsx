/** Several runs beside each other: their curves, and in what their recipes differ. */
import { useEffect } from 'react';
import {
  fieldTitle,
  lossText,
  recipeDifferences,
  valueText,
  type MetricTable,
  type RunRecord,
  validationLoss,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { CompareChart, type ComparedRun } from './CompareChart.tsx';

export function CompareRuns({ runs: ids }: { runs: readonly string[] }) {
  const client = useClient();
  const records = useLibrary((state) => state.runs);
  const problem = useLibrary((state) => state.problem);
  useEffect(() => {
    void client.library.loadHistories(ids);
  }, [client, ids]);
  const compared = useComparedRuns(ids);
  const chosen = ids.flatMap((id) => records.find(({ run }) => run === id) ?? []);
  return (
    <>
      {problem ? (
        <p className="field-problem" role="alert">
          {problem.message} {problem.hint}
        </p>
      ) : null}
      <CompareChart runs={compared} />
      <DifferenceTable records={chosen} runs={compared} />
    </>
  );
}

const NO_NAMES: ReadonlyMap<string, string> = new Map();

/**
 * The runs with their metrics; those of the run that trains grow. `names` has those of runs that the
 * library may not list yet.
 */
export function useComparedRuns(
  ids: readonly string[],
  names: ReadonlyMap<string, string> = NO_NAMES,
): ComparedRun[] {
  const { table } = useClient().stores;
  const records = useLibrary((state) => state.runs);
  const histories = useLibrary((state) => state.histories);
  const current = useRun((state) => state.run);
  return ids.map((run, index): ComparedRun => {
    const isCurrent = run === current;
    const name = names.get(run) ?? records.find((record) => record.run === run)?.name;
    return {
      run,
      name: name ?? 'Run',
      colour: `var(--c-run-${(index % 8) + 1})`,
      table: isCurrent ? table : (histories.get(run) ?? null),
    };
  });
}

interface DifferenceTableProps {
  records: readonly RunRecord[];
  runs: readonly ComparedRun[];
}

function DifferenceTable({ records, runs }: DifferenceTableProps) {
  const differences = recipeDifferences(records.map(({ config }) => config));
  const tableOf = (run: string): MetricTable | null =>
    runs.find((one) => one.run === run)?.table ?? null;
  const losses = LOSSES.map(({ title, read }) => ({
    title,
    values: records.map((record) => read(record, tableOf(record.run))),
  }));
  return (
    <div className="compare-table" tabIndex={0} role="region" aria-label="Differences">
      <table data-testid="differences">
        <thead>
          <tr>
            <th scope="col">Run</th>
            {records.map(({ run, name }) => (
              <th key={run} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {losses.map(({ title, values }) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              <ValueCells records={records} values={values} />
            </tr>
          ))}
          {differences.map(({ path, values }) => (
            <tr key={path}>
              <th scope="row">
                {fieldTitle(path)} <code className="muted">{path}</code>
              </th>
              <ValueCells
                records={records}
                values={values.map((value) => valueText(path, value))}
              />
            </tr>
          ))}
        </tbody>
      </table>
      {differences.length === 0 ? <p className="small muted">Their recipes are equal.</p> : null}
    </div>
  );
}

function ValueCells({
  records,
  values,
}: {
  records: readonly RunRecord[];
  values: readonly string[];
}) {
  return records.map(({ run }, index) => <td key={run}>{values[index]}</td>);
}

const text = (value: number | null | undefined): string => lossText(value ?? NaN);

const LOSSES: readonly {
  title: string;
  read: (record: RunRecord, table: MetricTable | null) => string;
}[] = [
  { title: 'Best validation loss', read: (record) => text(validationLoss(record)) },
  {
    title: 'Last validation loss',
    read: ({ last_val_loss }, table) => text(table?.get('val/loss')?.last ?? last_val_loss),
  },
  { title: 'Last training loss', read: (_, table) => text(table?.get('train/loss')?.last) },
];
