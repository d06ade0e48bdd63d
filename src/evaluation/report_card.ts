/** The report card of a chain of models: how each metric changed from stage to stage. */
import type { CheckpointName, Estimate, EvaluationRecord } from '../common/index.ts';
import { pairedDifference } from './intervals.ts';
import {
  checkpointKey,
  type EvaluationTable,
  evaluationTable,
  type TableCell,
  type TableColumn,
} from './table.ts';

/** `unclear`: the interval of the change contains 0. */
export type ChangeVerdict = 'better' | 'worse' | 'changed' | 'unclear';

export interface CardCell {
  value: TableCell;
  /** The difference from the stage before that was measured last; null for the first one. */
  change: (Estimate & { paired: boolean; verdict: ChangeVerdict }) | null;
}

export interface CardRow {
  column: TableColumn;
  /** One per stage; null where the metric was not measured. */
  cells: readonly (CardCell | null)[];
}

export interface ReportCard {
  /** From the base model to the last stage. */
  stages: readonly CheckpointName[];
  rows: readonly CardRow[];
}

/** @param chain checkpoints in the order of the lineage; those never evaluated have empty cells */
export function reportCard(
  chain: readonly CheckpointName[],
  records: readonly EvaluationRecord[],
): ReportCard {
  const keys = new Set(chain.map(checkpointKey));
  const table = evaluationTable(records.filter(({ model }) => keys.has(checkpointKey(model))));
  return { stages: chain, rows: table.columns.map((column) => rowOf(column, chain, table)) };
}

function rowOf(
  column: TableColumn,
  chain: readonly CheckpointName[],
  { rows }: EvaluationTable,
): CardRow {
  let before: TableCell | null = null;
  const cells = chain.map((model): CardCell | null => {
    const row = rows.find(({ key }) => key === checkpointKey(model));
    const value = row?.cells.get(column.key);
    if (!value) return null;
    const cell = { value, change: before && changeOf(before, value, column) };
    before = value;
    return cell;
  });
  return { column, cells };
}

function changeOf(
  before: TableCell,
  after: TableCell,
  { metric }: TableColumn,
): NonNullable<CardCell['change']> {
  const paired = haveSameItems(before, after);
  const difference = paired
    ? pairedDifference(after.items ?? [], before.items ?? [])
    : independentDifference(after, before);
  const { low, high, value } = difference;
  const isClear = low > 0 || high < 0;
  const improves = metric.better === 'higher' ? value > 0 : value < 0;
  let verdict: ChangeVerdict = 'unclear';
  if (isClear && metric.better === null) verdict = 'changed';
  else if (isClear) verdict = improves ? 'better' : 'worse';
  return { ...difference, paired, verdict };
}

/** Both were asked the same items, so that their noise cancels. */
export function haveSameItems(a: TableCell, b: TableCell): boolean {
  const { items: first, settings } = a;
  const { items: second, settings: others } = b;
  if (!first || first.length < 2 || first.length !== second?.length) return false;
  return settings.task === others.task && settings.seed === others.seed;
}

/** The difference of two numbers from different items: the half widths add as squares. */
export function independentDifference(a: Estimate, b: Estimate): Estimate {
  const half = Math.hypot((a.high - a.low) / 2, (b.high - b.low) / 2);
  const value = a.value - b.value;
  return { value, low: value - half, high: value + half, n: Math.min(a.n, b.n) };
}
