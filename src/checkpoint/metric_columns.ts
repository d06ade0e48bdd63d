/**
 * metrics.jsonl: one JSON object per row. A metric that was not measured is missing in the row and
 * NaN in the columns. JSON has no infinities, so they are the strings "Infinity" and "-Infinity".
 *
 * A run in storage appends to the same file. There, a line `{"resume": step}` means that the run
 * went back to that step, and that earlier lines with later steps no longer count.
 */
import type { MetricColumns } from '../common/index.ts';
import { CheckpointError, damaged } from './error.ts';
import { isRecord } from './json.ts';

/**
 * Limit on rows times columns, of eight bytes each. A short line can widen every column, so a short
 * file may have fewer of them.
 */
const maxCells = (characters: number) => Math.min(2 ** 22 + characters / 4, 2 ** 25);
const MAX_ROWS = 2 ** 22;
const MAX_COLUMNS = 256;
const MAX_NAME = 64;
/** Longest line that can be a row, in characters. */
const MAX_LINE = 2 ** 16;
/** Lines that begin like a row and are none. A closed tab leaves one; each takes microseconds. */
const MAX_BROKEN = 10_000;

/** Encodes rows as JSON lines, each with a line break. */
export function metricLines(columns: MetricColumns): string {
  const names = Object.keys(columns).filter((name) => name !== 'step');
  const lines: string[] = [];
  columns.step.forEach((step, i) => {
    const row: Record<string, number | string> = { step };
    for (const name of names) {
      const value = columns[name]?.[i] ?? NaN;
      if (!Number.isNaN(value)) row[name] = Number.isFinite(value) ? value : String(value);
    }
    lines.push(`${JSON.stringify(row)}\n`);
  });
  return lines.join('');
}

/** The line that invalidates all earlier rows after `step`. */
export const resumeLine = (step: number): string => `${JSON.stringify({ resume: step })}\n`;

/**
 * Decodes JSON lines to columns with strictly increasing steps. Lines that are not rows, such as one
 * that was cut short when the tab closed, are skipped. Rows in the wrong order are sorted, and rows
 * of the same step are merged; where both measured a metric, the later line wins. Earlier versions
 * wrote such files. Throws `too_large` and `bad_json`.
 */
export function parseMetricLines(text: string): MetricColumns {
  const table = readTable(text);
  const rows = validRows(table);
  if (rows.length * table.columns.size > maxCells(text.length)) throw tooMany();
  return mergedColumns(table, rows);
}

const tooMany = () =>
  new CheckpointError(
    'too_large',
    'There are too many saved metrics to read.',
    'Remove metrics.jsonl from the folder; the weights do not need it.',
  );

/** The values of a metric in the order of the lines, with the index of the row of each. */
interface Column {
  rows: number[];
  values: number[];
}

/** All rows of a file in the order of its lines. */
interface Table {
  steps: number[];
  columns: Map<string, Column>;
  resumes: { step: number; rowsBefore: number }[];
}

function readTable(text: string): Table {
  const table: Table = { steps: [], columns: new Map(), resumes: [] };
  let broken = 0;
  for (const line of linesOf(text)) {
    if (line === '') continue;
    const row = parseRow(line);
    if (row) addRow(table, row);
    else if (++broken > MAX_BROKEN)
      throw damaged('bad_json', 'metrics.jsonl', `it has more than ${MAX_BROKEN} broken lines`);
    if (table.steps.length + table.resumes.length > MAX_ROWS) throw tooMany();
  }
  return table;
}

/** The lines that may be rows. Others cost no time and no memory. */
function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    if (end - start <= MAX_LINE && text[start] === '{') yield text.slice(start, end);
    start = end + 1;
  }
}

function addRow(table: Table, row: ReadonlyMap<string, number>): void {
  const resume = row.get('resume');
  const step = row.get('step');
  if (resume !== undefined) {
    table.resumes.push({ step: resume, rowsBefore: table.steps.length });
  } else if (step !== undefined && Number.isFinite(step)) {
    for (const [name, value] of row) if (name !== 'step') addValue(table, name, value);
    table.steps.push(step);
  }
}

/** Adds a value of the row that comes after those in `steps`. */
function addValue({ columns, steps }: Table, name: string, value: number): void {
  let column = columns.get(name);
  if (!column) {
    if (columns.size >= MAX_COLUMNS) return;
    column = { rows: [], values: [] };
    columns.set(name, column);
  }
  column.rows.push(steps.length);
  column.values.push(value);
}

/**
 * Indices of the rows that no later resume line invalidates, sorted by step. Rows of equal steps keep
 * the order of their lines.
 */
function validRows({ steps, resumes }: Table): number[] {
  const rows: number[] = [];
  const waiting = [...resumes];
  let lastStep = Infinity;
  // Backwards, so that one pass knows the lowest step of all resume lines that follow a row.
  for (let row = steps.length - 1; row >= 0; row--) {
    for (let next = waiting.at(-1); next && next.rowsBefore > row; next = waiting.at(-1)) {
      lastStep = Math.min(lastStep, next.step);
      waiting.pop();
    }
    if ((steps[row] ?? NaN) <= lastStep) rows.push(row);
  }
  return rows.reverse().sort((a, b) => (steps[a] ?? NaN) - (steps[b] ?? NaN));
}

function mergedColumns({ steps, columns }: Table, rows: readonly number[]): MetricColumns {
  /** Where each row of the table goes, or -1; rows of equal steps go to the same place. */
  const places = new Int32Array(steps.length).fill(-1);
  const mergedSteps: number[] = [];
  for (const row of rows) {
    const step = steps[row] ?? NaN;
    if (mergedSteps.at(-1) !== step) mergedSteps.push(step);
    places[row] = mergedSteps.length - 1;
  }
  const merged: MetricColumns = { step: Float64Array.from(mergedSteps) };
  for (const [name, column] of columns) {
    const values = new Float64Array(mergedSteps.length).fill(NaN);
    column.rows.forEach((row, i) => {
      const place = places[row] ?? -1;
      if (place >= 0) values[place] = column.values[i] ?? NaN;
    });
    merged[name] = values;
  }
  return merged;
}

/** The numbers of a line by name; null unless it is a whole row. */
function parseRow(line: string): Map<string, number> | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isRecord(json)) return null;
  const row = new Map<string, number>();
  for (const [name, value] of Object.entries(json)) {
    const number = toNumber(value);
    if (number === null || name === '__proto__' || name.length > MAX_NAME) return null;
    row.set(name, number);
  }
  return row;
}

function toNumber(value: unknown): number | null {
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  return typeof value === 'number' ? value : null;
}
