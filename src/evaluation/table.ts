/** A table of checkpoints: one row per checkpoint, one column per metric of a task. */
import Papa from 'papaparse';
import { markdownTable } from 'markdown-table';
import type {
  CheckpointName,
  EvaluationRecord,
  EvaluationSettings,
  MeasuredValue,
} from '../common/index.ts';
import {
  EVALUATION_METRICS,
  type EvaluationMetric,
  evaluationMetric,
  formatValue,
} from './metrics.ts';

export interface TableColumn {
  /** Task, its variant and the metric: numbers of one column may be compared. */
  key: string;
  title: string;
  metric: EvaluationMetric;
}

export interface TableRow {
  key: string;
  model: CheckpointName;
  objective: string;
  /** By the keys of the columns; a metric that was not measured is absent. */
  cells: ReadonlyMap<string, TableCell>;
}

export interface TableCell extends MeasuredValue {
  settings: EvaluationSettings;
  /** Milliseconds since 1970. */
  at: number;
}

export interface EvaluationTable {
  columns: readonly TableColumn[];
  rows: readonly TableRow[];
}

export interface TableOrder {
  /** Key of a column, or `model` or `step`. */
  by: string;
  descending: boolean;
}

/** Of several evaluations of one checkpoint, the latest one of each metric counts. */
export function evaluationTable(records: readonly EvaluationRecord[]): EvaluationTable {
  const columns = new Map<string, TableColumn>();
  const rows = new Map<string, TableRow & { cells: Map<string, TableCell> }>();
  for (const record of [...records].sort((a, b) => a.at - b.at)) {
    const { model, objective, settings, values, at } = record;
    const key = checkpointKey(model);
    const row = rows.get(key) ?? { key, model, objective, cells: new Map<string, TableCell>() };
    rows.set(key, row);
    for (const value of values) {
      const column = columnOf(value.metric, settings);
      columns.set(column.key, column);
      row.cells.set(column.key, { ...value, settings, at });
    }
  }
  return { columns: inOrder([...columns.values()]), rows: [...rows.values()] };
}

/** Identifies a checkpoint: two of one run with the same step have the same weights. */
export const checkpointKey = ({ run, name, step }: CheckpointName): string =>
  JSON.stringify([run ?? name, step]);

function columnOf(name: string, { task, variant, k }: EvaluationSettings): TableColumn {
  const metric = evaluationMetric(name);
  const ofK = name === 'pass_at_k' ? k : null;
  const label = ofK === null ? metric.label : `pass@${ofK}`;
  const where = variant === '' ? task : `${task}, ${variant}`;
  return { key: JSON.stringify([name, task, variant, ofK]), title: `${label} (${where})`, metric };
}

/** By task in the order of their first measurement, then as `EVALUATION_METRICS` lists them. */
function inOrder(columns: TableColumn[]): TableColumn[] {
  const places = new Map(EVALUATION_METRICS.map(({ name }, i) => [name, i]));
  const place = ({ metric }: TableColumn): number => places.get(metric.name) ?? places.size;
  return columns.sort((a, b) => place(a) - place(b));
}

/** Rows without a number in the column come last, whatever the direction. */
export function sortRows(
  { rows }: EvaluationTable,
  { by, descending }: TableOrder,
): readonly TableRow[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    if (by === 'model') return sign * a.model.name.localeCompare(b.model.name);
    if (by === 'step') return sign * (a.model.step - b.model.step);
    const first = a.cells.get(by)?.value ?? NaN;
    const second = b.cells.get(by)?.value ?? NaN;
    if (Number.isNaN(first) || Number.isNaN(second)) {
      return Number(Number.isNaN(first)) - Number(Number.isNaN(second));
    }
    return sign * (first - second);
  });
}

/** One line per checkpoint; each metric has columns for value, interval and n. */
export function tableToCsv({ columns }: EvaluationTable, rows: readonly TableRow[]): string {
  const fields = [
    ...['model', 'run', 'weights', 'step', 'objective'],
    ...columns.flatMap(({ title }) => [title, `${title} low`, `${title} high`, `${title} n`]),
  ];
  const data = rows.map(({ model, objective, cells }) => [
    ...[model.name, model.run ?? '', model.weights, model.step, objective],
    ...columns.flatMap(({ key }): (string | number)[] => {
      const cell = cells.get(key);
      return cell ? [cell.value, cell.low, cell.high, cell.n] : ['', '', '', ''];
    }),
  ]);
  // Names may begin with = or +, which a spreadsheet would take for a formula.
  return `${Papa.unparse({ fields, data }, { escapeFormulae: true, newline: '\n' })}\n`;
}

export function tableToMarkdown({ columns }: EvaluationTable, rows: readonly TableRow[]): string {
  const head = ['Model', 'Step', ...columns.map(({ title }) => title)];
  const body = rows.map(({ model, cells }) => [
    model.name.replaceAll('|', '\\|'),
    `${model.step}`,
    ...columns.map(({ key, metric }) => cellText(cells.get(key), metric)),
  ]);
  const align = ['l', ...head.slice(1).map(() => 'r')];
  return `${markdownTable([head, ...body], { align })}\n`;
}

/** Value, interval and n, such as `92.0 % [85.0, 95.9] n 100`. */
export function cellText(cell: MeasuredValue | undefined, { unit }: EvaluationMetric): string {
  if (!cell) return '';
  const bound = (value: number): string => formatValue(value, unit).replace(' %', '');
  const { value, low, high, n } = cell;
  const interval = Number.isFinite(low) ? ` [${bound(low)}, ${bound(high)}]` : '';
  return `${formatValue(value, unit)}${interval} n ${n}`;
}
