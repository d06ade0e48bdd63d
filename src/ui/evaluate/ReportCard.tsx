/** The report card of a chain of models, which prints on one page. */
import { Button, NativeSelect } from '@mantine/core';
import { IconPrinter } from '@tabler/icons-react';
import { useState } from 'react';
import type { EvaluationRecord } from '../../common/index.ts';
import {
  type CardCell,
  formatValue,
  reportCard,
  type ReportCard,
  type TableColumn,
} from '../../evaluation/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { ancestry, type ListedModel } from '../../store/stages/tree.ts';
import { useLibrary } from '../context.tsx';
import { CutName } from '../CutName.tsx';
import { useEvaluations } from './evaluating.ts';

export function ReportCardView({ models }: { models: readonly ListedModel[] }) {
  const runs = useLibrary((state) => state.runs);
  const records = useEvaluations((state) => state.records);
  const [chosen, setChosen] = useState('');
  const measured = models.filter(({ record }) =>
    records.some(({ model }) => model.run === record.run),
  );
  const last = measured.find(({ record }) => record.run === chosen) ?? measured.at(-1);
  const run = last?.record.run ?? '';
  const stages = ancestry(runs, run).map((record) => latestOf(record, records));
  const card = reportCard(stages, records);
  if (!last) return null;
  return (
    <section className="report-card" aria-label="Report card">
      <h2>{`Report card of ${last.record.name}`}</h2>
      <div className="report-card-bar">
        <NativeSelect
          size="xs"
          aria-label="Last model of the chain"
          data={measured.map(({ record }) => ({ value: record.run, label: record.name }))}
          value={run}
          onChange={({ currentTarget: { value } }) => setChosen(value)}
        />
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPrinter size={14} />}
          onClick={() => window.print()}
        >
          Print
        </Button>
      </div>
      <CardTable card={card} />
      <p className="small muted">
        Brackets are 95 % intervals. A change is called better or worse only if its own interval,
        paired by question where both models had the same ones, does not contain 0.
      </p>
    </section>
  );
}

/** The checkpoint of a run that was evaluated last. */
function latestOf(
  { run, name, step }: RunRecord,
  records: readonly EvaluationRecord[],
): ReportCard['stages'][number] {
  const own = records.filter(({ model }) => model.run === run);
  const latest = own.reduce<(typeof own)[number] | null>(
    (best, record) => (best && best.at > record.at ? best : record),
    null,
  );
  return latest?.model ?? { run, name, weights: 'last', step };
}

type Change = NonNullable<CardCell['change']>;

function CardTable({ card }: { card: ReportCard }) {
  return (
    <div
      className="evaluate-scroll"
      tabIndex={0}
      role="group"
      aria-label="Table of the report card"
    >
      <table className="evaluate-table">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {card.stages.map(({ run, name, step }) => (
              <th key={`${run}`} scope="col">
                <CutName name={name} />
                <span className="muted evaluate-interval">{`step ${step}`}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {card.rows.map(({ column, cells }) => (
            <tr key={column.key}>
              <th scope="row">{column.title}</th>
              {cells.map((cell, index) => (
                <CardCellView key={index} cell={cell} column={column} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function changeText({ value, verdict }: Change, unit: TableColumn['metric']['unit']): string {
  if (value === 0) return 'no change';
  return `${value > 0 ? '+' : ''}${formatValue(value, unit)} ${verdict}`;
}

function CardCellView({ cell, column }: { cell: CardCell | null; column: TableColumn }) {
  if (!cell) return <td className="muted">–</td>;
  const { unit } = column.metric;
  const { value, low, high, n } = cell.value;
  return (
    <td>
      {formatValue(value, unit)}
      <span className="muted evaluate-interval">
        {`[${formatValue(low, unit)}, ${formatValue(high, unit)}] n ${n}`}
      </span>
      {cell.change ? (
        <span className="evaluate-change" data-verdict={cell.change.verdict}>
          {changeText(cell.change, unit)}
        </span>
      ) : null}
    </td>
  );
}
